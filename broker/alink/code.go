package alink

// Code is the result of a request. The numbers are the platform's. (platform: facts, section 6)
type Code int

const (
	OK           Code = 200
	RequestError Code = 400
	TooMany      Code = 429
	ParamError   Code = 460
	SystemError  Code = 500
	NoSession    Code = 520
	TooManyProps Code = 6106
	NoScript     Code = 6200
	NotJSON      Code = 6207
	NoMethod     Code = 6300
	NoConfig     Code = 6710
	ConfigScope  Code = 6713
	NotAlink     Code = 6831
	NoFirmware   Code = 9112
)

var messages = map[Code]string{
	OK:           "success",
	RequestError: "request error",
	TooMany:      "too many requests",
	ParamError:   "request parameter error",
	SystemError:  "system error",
	NoSession:    "no session of the sub-device",
	TooManyProps: "too many properties",
	NoScript:     "no script for raw data",
	NotJSON:      "the payload is not JSON",
	NoMethod:     "the method does not exist, or does not match the topic",
	NoConfig:     "no configuration",
	ConfigScope:  "configuration scope or type not supported",
	NotAlink:     "the topic is not one of Alink",
	NoFirmware:   "no firmware for the device",
}

// String is the message that goes with the code.
func (c Code) String() string {
	if m, ok := messages[c]; ok {
		return m
	}
	return "error"
}
