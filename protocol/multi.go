package protocol

import "slices"

// MultiHeader stands before each sub-operation of a multi or multiRead, before
// each of its results, and, with Done, behind the last.
type MultiHeader struct {
	Type OpCode
	Done bool
	Err  ErrCode
}

// multiEnd closes every list of operations or results.
var multiEnd = MultiHeader{Type: OpError, Done: true, Err: -1}

// Decode reads the record.
func (r *MultiHeader) Decode(d *Decoder) {
	r.Type = OpCode(d.Int32())
	r.Done = d.Bool()
	r.Err = ErrCode(d.Int32())
}

// Append appends the record.
func (r *MultiHeader) Append(b []byte) []byte {
	return AppendInt32(AppendBool(AppendInt32(b, int32(r.Type)), r.Done), int32(r.Err))
}

// AppendMultiEnd appends the header that ends a list of operations or results.
func AppendMultiEnd(b []byte) []byte { return multiEnd.Append(b) }

// AppendMultiError appends the result of a sub-operation that failed, or was
// undone or left out because another one failed.
func AppendMultiError(b []byte, code ErrCode) []byte {
	h := MultiHeader{Type: OpError, Err: code}
	return AppendInt32(h.Append(b), int32(code))
}

// MultiOp is one sub-operation. Type says which of the bodies is set.
type MultiOp struct {
	Type    OpCode
	Create  CreateRequest       // OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL
	TTL     int64               // OpCreateTTL, ms
	Delete  DeleteRequest       // OpDelete
	SetData SetDataRequest      // OpSetData
	Check   CheckVersionRequest // OpCheck
	Read    PathWatchRequest    // OpGetData, OpGetChildren; Watch is to be ignored
}

// DecodeMulti reads the body of a multi, up to and with its end mark. Any error
// fails the request as a whole, with [ErrMarshalling]; besides the errors of the
// Decoder that is [ErrMultiOp] for a sub-operation other than create, create2,
// createContainer, createTTL, delete, setData and check, and, other than in
// createTTL, for flags that are no create mode and TTL flags; and [ErrMultiACL]
// for a null ACL.
//
// Types come out as ZooKeeper executes them (org.apache.zookeeper.
// MultiOperationRecord): createTTL without a TTL mode is a plain create, its TTL
// dropped; create and create2 with the container mode are createContainer.
func DecodeMulti(d *Decoder) ([]MultiOp, error) {
	return decodeOps(nil, d, (*MultiOp).decodeWrite)
}

// DecodeMultiInto is DecodeMulti into the storage of ops, whose content is lost.
func DecodeMultiInto(ops []MultiOp, d *Decoder) ([]MultiOp, error) {
	return decodeOps(ops[:0], d, (*MultiOp).decodeWrite)
}

// DecodeMultiRead reads the body of a multiRead, which takes getData and
// getChildren only, up to and with its end mark. Errors are as in DecodeMulti.
func DecodeMultiRead(d *Decoder) ([]MultiOp, error) {
	return decodeOps(nil, d, (*MultiOp).decodeRead)
}

// multiOpMinBytes is the shortest sub-operation: a header, an empty path and a
// bool. It bounds what is allocated: a sub-operation is some 15 times as large
// in memory, and append's own growth would multiply that.
const multiOpMinBytes = 9 + 4 + 1

func decodeOps(ops []MultiOp, d *Decoder, decode func(*MultiOp, *Decoder)) ([]MultiOp, error) {
	if ops == nil {
		ops = make([]MultiOp, 0, min(8, d.Remaining()/multiOpMinBytes))
	}
	for {
		var h MultiHeader
		h.Decode(d)
		if d.err != nil {
			return nil, d.err
		}
		if h.Done {
			if d.null {
				d.fail(ErrNull)
				return nil, d.err
			}
			return ops, nil
		}
		if len(ops) == cap(ops) {
			ops = slices.Grow(ops, min(len(ops), d.Remaining()/multiOpMinBytes)+1)
		}
		ops = append(ops, MultiOp{Type: h.Type})
		decode(&ops[len(ops)-1], d)
		if d.err != nil {
			return nil, d.err
		}
	}
}

func (op *MultiOp) decodeWrite(d *Decoder) {
	switch op.Type {
	case OpCreate, OpCreate2, OpCreateContainer:
		op.Create.Decode(d)
	case OpCreateTTL:
		op.Create.Decode(d)
		op.TTL = d.Int64()
	case OpDelete:
		op.Delete.Decode(d)
		return
	case OpSetData:
		op.SetData.Decode(d)
		return
	case OpCheck:
		op.Check.Decode(d)
		return
	default:
		d.fail(ErrMultiOp)
		return
	}
	flags := op.Create.Flags
	switch {
	case op.Type == OpCreateTTL:
	case !ValidCreateMode(flags):
		d.fail(ErrMultiOp)
		return
	case op.Create.ACLNull:
		d.fail(ErrMultiACL)
		return
	case HasTTL(flags):
		d.fail(ErrMultiOp)
		return
	}
	if op.Type == OpCreateTTL && !HasTTL(flags) {
		op.Type, op.TTL = OpCreate, 0
	}
	if flags == CreateModeContainer {
		op.Type = OpCreateContainer
	}
}

func (op *MultiOp) decodeRead(d *Decoder) {
	switch op.Type {
	case OpGetData, OpGetChildren:
		op.Read.Decode(d)
	default:
		d.fail(ErrMultiOp)
	}
}

// AppendMulti appends the body of a multi or multiRead with its end mark.
func AppendMulti(b []byte, ops []MultiOp) []byte {
	for i := range ops {
		op := &ops[i]
		h := MultiHeader{Type: op.Type, Err: -1}
		b = h.Append(b)
		switch op.Type {
		case OpCreate, OpCreate2, OpCreateContainer:
			b = op.Create.Append(b)
		case OpCreateTTL:
			b = AppendInt64(op.Create.Append(b), op.TTL)
		case OpDelete:
			b = op.Delete.Append(b)
		case OpSetData:
			b = op.SetData.Append(b)
		case OpCheck:
			b = op.Check.Append(b)
		case OpGetData, OpGetChildren:
			b = op.Read.Append(b)
		}
	}
	return AppendMultiEnd(b)
}
