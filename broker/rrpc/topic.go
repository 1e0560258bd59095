package rrpc

import (
	"bytes"
	"strconv"
)

var (
	sysPrefix = []byte("/sys/")
	extPrefix = []byte("/ext/rrpc/")
	response  = []byte("/rrpc/response/")
)

func isExt(topic []byte) bool { return bytes.HasPrefix(topic, extPrefix) }

// answerID returns the message id in the topic of an answer: /sys/{pk}/{dn}/rrpc/response/{id} or
// /ext/rrpc/{id}/... . It allocates nothing.
func answerID(topic []byte) (id []byte, ok bool) {
	if isExt(topic) {
		rest := topic[len(extPrefix):]
		i := bytes.IndexByte(rest, '/')
		if i <= 0 {
			return nil, false
		}
		return rest[:i], true
	}
	if !bytes.HasPrefix(topic, sysPrefix) {
		return nil, false
	}
	rest := topic[len(sysPrefix):]
	for range 2 { // productKey, deviceName
		i := bytes.IndexByte(rest, '/')
		if i <= 0 {
			return nil, false
		}
		rest = rest[i+1:]
	}
	if !bytes.HasPrefix(rest, response[1:]) {
		return nil, false
	}
	id = rest[len(response)-1:]
	return id, len(id) > 0 && bytes.IndexByte(id, '/') < 0
}

// parseID reads a message id as next makes them.
func parseID(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	id, err := strconv.ParseUint(string(b), 10, 64)
	return id, err == nil
}
