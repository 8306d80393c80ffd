package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
)

const (
	sealMagic = "ZRSEAL1\n"
	sealBlock = 1 << 20
	sealHead  = len(sealMagic) + 4 + 8
)

// seal holds the checksums of a snapshot: of what meta.json says, and of each
// mebibyte of state.bin, so that damage has an offset. It is written with the
// snapshot and appears with it. The file is
//
//	magic 8 | meta 4 | size 8 | block sums 4 each | CRC-32C of all before 4
//
// little-endian.
type seal struct {
	meta   uint32
	size   int64
	blocks []uint32
}

func (s seal) encode() []byte {
	b := append([]byte(nil), sealMagic...)
	b = binary.LittleEndian.AppendUint32(b, s.meta)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.size))
	for _, sum := range s.blocks {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

func decodeSeal(b []byte) (seal, error) {
	var s seal
	n := len(b) - 4
	if n < sealHead || string(b[:len(sealMagic)]) != sealMagic || binary.LittleEndian.Uint32(b[n:]) != checksum(b[:n]) {
		return s, fmt.Errorf("%w seal", ErrCorrupt)
	}
	s.meta = binary.LittleEndian.Uint32(b[len(sealMagic):])
	s.size = int64(binary.LittleEndian.Uint64(b[len(sealMagic)+4:]))
	sums := b[sealHead:n]
	if s.size < 0 || len(sums)%4 != 0 || (s.size/sealBlock+min(s.size%sealBlock, 1)) != int64(len(sums)/4) {
		return s, fmt.Errorf("%w seal: %d bytes of sums for %d bytes", ErrCorrupt, len(sums), s.size)
	}
	for ; len(sums) > 0; sums = sums[4:] {
		s.blocks = append(s.blocks, binary.LittleEndian.Uint32(sums))
	}
	return s, nil
}

func readSeal(path string) (seal, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return seal{}, err
	}
	s, err := decodeSeal(b)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// blockSums sums a stream in blocks of sealBlock.
type blockSums struct {
	size int64
	sum  uint32
	done []uint32
}

func (s *blockSums) write(b []byte) {
	for len(b) > 0 {
		n := min(int64(len(b)), sealBlock-s.size%sealBlock)
		s.sum = crc32.Update(s.sum, castagnoli, b[:n])
		s.size += n
		b = b[n:]
		if s.size%sealBlock == 0 {
			s.done = append(s.done, s.sum)
			s.sum = 0
		}
	}
}

func (s *blockSums) finish() []uint32 {
	if s.size%sealBlock != 0 {
		return append(s.done, s.sum)
	}
	return s.done
}
