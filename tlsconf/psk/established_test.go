package psk

import (
	"io"
	"testing"

	"sampan/tlsconf/psk/internal/seal"
)

// After the handshake.
func TestRecordsTheEstablishedChannelRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		send func(client *Conn)
		want Alert
	}{
		{"renegotiation", func(c *Conn) { c.out.write(c.conn, recordHandshake, goodHello()[5:]) }, AlertNoRenegotiation},
		{"change_cipher_spec", func(c *Conn) { c.out.write(c.conn, recordChangeCipherSpec, []byte{1}) }, AlertUnexpectedMessage},
		{"alert of one byte", func(c *Conn) { c.out.write(c.conn, recordAlert, []byte{1}) }, AlertDecodeError},
		{"alert of level 9", func(c *Conn) { c.out.write(c.conn, recordAlert, []byte{9, 9}) }, AlertIllegalParameter},
		{"empty alert", func(c *Conn) { sendEmpty(c, recordAlert) }, AlertUnexpectedMessage},
		{"empty handshake", func(c *Conn) { sendEmpty(c, recordHandshake) }, AlertUnexpectedMessage},
		{"many empty data records", func(c *Conn) {
			for range maxIdleRecords + 1 {
				sendEmpty(c, recordApplicationData)
			}
		}, AlertUnexpectedMessage},
		{"many warnings", func(c *Conn) {
			for range maxIdleRecords + 1 {
				c.out.write(c.conn, recordAlert, []byte{levelWarning, byte(AlertUserCanceled)})
			}
		}, AlertUnexpectedMessage},
		{"plaintext of 2^14+1", func(c *Conn) {
			c.out.maxPlain++
			c.out.write(c.conn, recordApplicationData, make([]byte, seal.MaxPlaintext+1))
		}, AlertRecordOverflow},
		{"fragment over the limit", func(c *Conn) {
			c.conn.Write([]byte{recordApplicationData, 3, 3, 0x49, 0x00})
		}, AlertRecordOverflow},
		{"unprotected record", func(c *Conn) { c.conn.Write(recordOf(recordApplicationData, 'h', 'i')) }, AlertBadRecordMAC},
		{"unprotected alert", func(c *Conn) {
			c.conn.Write(recordOf(recordAlert, levelFatal, byte(AlertInternalError)))
		}, AlertBadRecordMAC},
		{"record of TLS 1.0", func(c *Conn) { c.conn.Write([]byte{recordApplicationData, 3, 1, 0, 1, 0}) }, AlertProtocolVersion},
		{"record type 0", func(c *Conn) { c.conn.Write([]byte{0, 3, 3, 0, 1, 0}) }, AlertUnexpectedMessage},
		{"record without content", func(c *Conn) { c.conn.Write(recordOf(recordApplicationData)) }, AlertBadRecordMAC},
	} {
		for _, v := range tamperVariants {
			t.Run(c.name+"/"+v.String(), func(t *testing.T) {
				client, server := connected(t, v.client(), serverConfig())
				c.send(client)
				n, err := server.Read(make([]byte, 100))
				if n != 0 {
					t.Errorf("read %d bytes", n)
				}
				wantAlert(t, err, c.want, false)
				_, err = client.Read(make([]byte, 1))
				wantAlert(t, err, c.want, true)
			})
		}
	}
}

func sendEmpty(c *Conn, typ byte) {
	record, _ := c.out.append(nil, typ, nil)
	c.conn.Write(record)
}

// A few empty records are what old clients send before data (RFC 5246 section
// 6.2.1 allows them).
func TestEmptyDataRecordsAndWarningsArePassedOver(t *testing.T) {
	for _, v := range tamperVariants {
		client, server := connected(t, v.client(), serverConfig())
		for range 3 * maxIdleRecords {
			sendEmpty(client, recordApplicationData)
			client.Write([]byte("x"))
		}
		client.out.write(client.conn, recordAlert, []byte{levelWarning, byte(AlertUserCanceled)})
		client.CloseWrite()
		if got, err := io.ReadAll(server); len(got) != 3*maxIdleRecords || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestRemoteFatalAlertIsTyped(t *testing.T) {
	client, server := connected(t, clientConfig(), serverConfig())
	client.out.write(client.conn, recordAlert, []byte{levelFatal, byte(AlertInternalError)})
	_, err := server.Read(make([]byte, 1))
	wantAlert(t, err, AlertInternalError, true)
	if err.Error() != "psk: the peer sent internal_error" {
		t.Errorf("%q", err)
	}
	if _, err := server.Write([]byte("x")); err == nil {
		t.Error("write after a fatal alert succeeded")
	}
}
