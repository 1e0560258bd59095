package psk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
)

// tamperVariants cover plain and ECDHE, MAC inside and outside, and AEAD,
// with and without what binds the keys to the transcript.
var tamperVariants = []variant{
	{TLS_PSK_WITH_AES_128_CBC_SHA, false, false},
	{TLS_PSK_WITH_AES_128_CBC_SHA256, true, true},
	{TLS_PSK_WITH_AES_128_GCM_SHA256, false, true},
	{TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, false, false},
	{TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA, true, true},
}

// direction picks the stream to tamper with.
type direction struct {
	name string
	of   func(toServer, toClient *stream) *stream
}

var directions = []direction{
	{"to the server", func(s, _ *stream) *stream { return s }},
	{"to the client", func(_, c *stream) *stream { return c }},
}

// at changes or cuts the byte at an absolute offset of a stream.
func at(s *stream, offset int, change func(*byte)) {
	passed := 0
	s.filter = func(b []byte) []byte {
		if offset >= passed && offset < passed+len(b) {
			change(&b[offset-passed])
		}
		passed += len(b)
		return b
	}
}

// streamLength counts what a good handshake sends one way.
func streamLength(t *testing.T, v variant, d direction) (n int) {
	connected(t, v.client(), serverConfig(), func(toServer, toClient *stream) {
		d.of(toServer, toClient).record = func(b []byte) { n += len(b) }
	})
	return n
}

// With the lowest or highest bit of any byte flipped on the way, the side that
// receives it never completes the handshake; nothing hangs and nothing panics.
func TestEveryFlippedByteFailsTheHandshake(t *testing.T) {
	for _, v := range tamperVariants {
		for _, d := range directions {
			t.Run(fmt.Sprintf("%v/%s", v, d.name), func(t *testing.T) {
				length := streamLength(t, v, d)
				for offset := range length {
					for _, bit := range []byte{0x01, 0x80} {
						var clientErr, serverErr error
						synctest.Test(t, func(t *testing.T) {
							// A peer that waits for bytes a changed length
							// has announced is ended by its deadline.
							_, _, clientErr, serverErr = pairWithDeadline(v.client(), serverConfig(), func(toServer, toClient *stream) {
								at(d.of(toServer, toClient), offset, func(b *byte) { *b ^= bit })
							})
						})
						// The minor version of records before the first
						// protected one is neither checked nor authenticated
						// (RFC 5246 appendix E.1).
						harmless := clientErr == nil && serverErr == nil && minorVersionOffset(t, v, d, offset)
						receiverErr := serverErr
						if d.name == "to the client" {
							receiverErr = clientErr
						}
						if receiverErr == nil && !harmless {
							t.Errorf("offset %d bit %#x: handshake completed (client %v, server %v)", offset, bit, clientErr, serverErr)
						}
					}
				}
			})
		}
	}
}

// minorVersionOffset says whether offset is the second version byte of an
// unprotected record's header.
func minorVersionOffset(t *testing.T, v variant, d direction, offset int) (is bool) {
	var all []byte
	connected(t, v.client(), serverConfig(), func(toServer, toClient *stream) {
		d.of(toServer, toClient).record = func(b []byte) { all = append(all, b...) }
	})
	for start := 0; start+recordHeaderLen <= len(all); {
		if offset == start+2 {
			return true
		}
		typ := all[start]
		start += recordHeaderLen + int(all[start+3])<<8 + int(all[start+4])
		if typ == recordChangeCipherSpec {
			return false
		}
	}
	return false
}

// Cut after each byte, either side ends with an error that says so.
func TestEveryTruncationFailsTheHandshake(t *testing.T) {
	for _, v := range tamperVariants {
		for _, d := range directions {
			t.Run(fmt.Sprintf("%v/%s", v, d.name), func(t *testing.T) {
				length := streamLength(t, v, d)
				for cut := range length {
					client, server, clientErr, serverErr := pair(v.client(), serverConfig(), func(toServer, toClient *stream) {
						s := d.of(toServer, toClient)
						passed := 0
						s.filter = func(b []byte) []byte {
							keep := min(max(cut-passed, 0), len(b))
							passed += len(b)
							if keep < len(b) {
								s.closed = true // the filter runs under the stream's lock
							}
							return b[:keep]
						}
					})
					receiver, err := server, serverErr
					if d.name == "to the client" {
						receiver, err = client, clientErr
					}
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Fatalf("cut at %d of %d: %v", cut, length, err)
					}
					if receiver.in.big != nil || len(receiver.in.buf) > keptBuffer {
						t.Fatalf("cut at %d: holds %d bytes", cut, len(receiver.in.buf))
					}
				}
			})
		}
	}
}

// However the handshake is cut into records and reads, it works.
func TestHandshakeFragmentedIntoSmallRecordsAndReads(t *testing.T) {
	for _, v := range tamperVariants {
		for _, size := range []int{1, 2, 3, 4, 5, 7, 50} {
			connected(t, v.client(), serverConfig(), func(toServer, toClient *stream) {
				toServer.filter = refragment(size)
				toClient.filter = refragment(size)
			})
		}
	}
}

// refragment cuts unprotected handshake records into ones of at most size
// bytes.
func refragment(size int) func([]byte) []byte {
	protected := false
	return func(b []byte) (out []byte) {
		for len(b) > 0 {
			n := recordHeaderLen + int(b[3])<<8 + int(b[4])
			record := b[:n]
			b = b[n:]
			if record[0] != recordHandshake || protected {
				protected = protected || record[0] == recordChangeCipherSpec
				out = append(out, record...)
				continue
			}
			for body := record[recordHeaderLen:]; len(body) > 0; {
				m := min(size, len(body))
				out = append(append(out, record[0], record[1], record[2], 0, byte(m)), body[:m]...)
				body = body[m:]
			}
		}
		return out
	}
}

// All of a flight's messages in one record.
func TestHandshakeCoalescedIntoOneRecord(t *testing.T) {
	for _, v := range tamperVariants {
		connected(t, v.client(), serverConfig(), func(_, toClient *stream) {
			first := true
			toClient.filter = func(b []byte) []byte {
				if !first {
					return b
				}
				first = false
				var body []byte
				for len(b) > 0 {
					n := recordHeaderLen + int(b[3])<<8 + int(b[4])
					body = append(body, b[recordHeaderLen:n]...)
					b = b[n:]
				}
				return append([]byte{recordHandshake, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
			}
		})
	}
}

// After the handshake: flipped, replayed, dropped and reordered records all
// end the channel the same way.
func TestTamperedDataEndsTheChannel(t *testing.T) {
	tampers := map[string]func() func([]byte) []byte{
		"flipped": func() func([]byte) []byte {
			return func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		},
		"replayed": func() func([]byte) []byte {
			return func(b []byte) []byte { return append(bytes.Clone(b), b...) }
		},
		"dropped": func() func([]byte) []byte {
			n := 0
			return func(b []byte) []byte {
				if n++; n == 1 {
					return nil
				}
				return b
			}
		},
		"reordered": func() func([]byte) []byte {
			var held []byte
			return func(b []byte) []byte {
				if held == nil {
					held = bytes.Clone(b)
					return nil
				}
				return append(b, held...)
			}
		},
		"shortened": func() func([]byte) []byte {
			return func(b []byte) []byte {
				b = b[:len(b)-1]
				b[3], b[4] = byte((len(b)-5)>>8), byte(len(b)-5)
				return b
			}
		},
		"typed as alert": func() func([]byte) []byte {
			return func(b []byte) []byte { b[0] = recordAlert; return b }
		},
	}
	for _, v := range variants() {
		for name, tamper := range tampers {
			client, server := connected(t, v.client(), serverConfig())
			client.conn.(*pipeEnd).out.filter = tamper()
			client.Write([]byte("one"))
			client.Write([]byte("two"))
			_, err := io.ReadAll(server)
			wantAlert(t, err, AlertBadRecordMAC, false)
			if _, again := server.Read(make([]byte, 1)); again != err {
				t.Errorf("%v %s: second read %v", v, name, again)
			}
			if _, werr := server.Write([]byte("x")); werr == nil {
				t.Errorf("%v %s: write after a bad record succeeded", v, name)
			}
			_, err = client.Read(make([]byte, 1))
			wantAlert(t, err, AlertBadRecordMAC, true)
		}
	}
}
