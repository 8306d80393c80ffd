// Package console looks at the web console as people do: in a browser, Chromium,
// over real servers. Its tests have the build tag interop, since they need a
// browser; CHROMIUM names it if it is not on the PATH. One that is missing skips
// them, and with CI=true fails them.
//
// Invariants:
//   - Nothing is awaited by sleeping: what the page shows is polled.
//   - Each test fails if its pages asked anybody but the servers for anything, broke
//     the content-security policy, threw, or complained on the browser's console.
package console
