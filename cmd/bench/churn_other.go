//go:build !linux

package bench

import "context"

// startTurnstiles returns false: sessions are opened and closed by a goroutine each.
func (r *run) startTurnstiles(context.Context) bool { return false }
