package openapi

import (
	"encoding/base64"
	"math"
	"net/url"
	"strconv"
	"time"
)

// Params are a request's parameters.
type Params url.Values

// Get returns a parameter, or "".
func (p Params) Get(name string) string { return url.Values(p).Get(name) }

// need returns parameters that must be there.
func (p Params) need(names ...string) error {
	for _, name := range names {
		if _, there := p[name]; !there {
			return missing(name)
		}
	}
	return nil
}

// list returns Name.1, Name.2, ... up to the first that is missing, at most max of them.
func (p Params) list(name string, max int) (values []string, ok bool) {
	for i := 1; ; i++ {
		v := p.Get(name + "." + strconv.Itoa(i))
		if v == "" {
			return values, len(values) > 0
		}
		if len(values) == max {
			return nil, false
		}
		values = append(values, v)
	}
}

// number returns a parameter as a whole number, or def if it is not there.
func (p Params) number(name string, def int) (int, error) {
	s := p.Get(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, invalid(name, s)
	}
	return n, nil
}

// milliseconds returns a parameter that is a length of time, or 0 if it is not there.
func (p Params) milliseconds(name string) (time.Duration, error) {
	n, err := p.number(name, 0)
	if err != nil {
		return 0, err
	}
	// Beyond it the product overflows, and could come out as a time that is allowed.
	const most = math.MaxInt64 / int64(time.Millisecond)
	if n < 0 || int64(n) > most {
		return 0, invalid(name, p.Get(name))
	}
	return time.Duration(n) * time.Millisecond, nil
}

// qos returns the parameter Qos, 0 or 1.
func (p Params) qos() (byte, error) {
	n, err := p.number("Qos", 0)
	if err != nil || n < 0 || n > 1 {
		return 0, failed("iot.messagebroker.InvalidQos", "Qos is 0 or 1.")
	}
	return byte(n), nil
}

// content returns a parameter that is base64.
func (p Params) content(name string) ([]byte, error) {
	s, there := p[name]
	if !there {
		return nil, failed("iot.messagebroker.NullMessageContent", name+" is mandatory.")
	}
	b, err := base64.StdEncoding.DecodeString(s[0])
	if err != nil {
		return nil, failed("iot.messagebroker.MessageContentIsNotBase64Encode", name+" is not base64.")
	}
	return b, nil
}

func invalid(name, value string) *Error {
	if len(value) > 64 {
		value = value[:64] + "..."
	}
	return failed("iot.common.InvalidFormattedParameter", "The parameter "+name+" is not valid: "+value)
}
