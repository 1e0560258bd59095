package envelope

// Code is the result of a request. The numbers are the platform's. (platform: facts, section 6)
type Code int

const (
	OK             Code = 200
	RequestError   Code = 400
	SignError      Code = 401
	SameDevice     Code = 427 // logged in elsewhere
	TooOften       Code = 428
	TooMany        Code = 429
	ParamError     Code = 460
	SystemError    Code = 500
	NoSession      Code = 520
	DeviceDeleted  Code = 521
	DeviceDisabled Code = 522
	NoProduct      Code = 5005
	NoDevice       Code = 6100
	TooManyProps   Code = 6106
	NoScript       Code = 6200
	Forbidden      Code = 6204 // the device is disabled, for requests about it
	NotJSON        Code = 6207
	BadName        Code = 6280
	BadSign        Code = 6287
	NoRegistration Code = 6288
	AlreadyActive  Code = 6289
	BadSignMethod  Code = 6292
	NoMethod       Code = 6300
	TooManySubs    Code = 6400
	NoTopology     Code = 6401
	SelfTopology   Code = 6402
	BoundElsewhere Code = 6619
	NoConfig       Code = 6710
	ConfigScope    Code = 6713
	NotAlink       Code = 6831
	NoFirmware     Code = 9112
)

var messages = map[Code]string{
	OK:             "success",
	RequestError:   "request error",
	TooMany:        "too many requests",
	ParamError:     "request parameter error",
	SystemError:    "system error",
	SameDevice:     "the same device has logged in elsewhere",
	TooOften:       "too many devices in one request",
	SignError:      "the signature is wrong",
	NoSession:      "no session of the sub-device",
	DeviceDeleted:  "the device has been deleted",
	DeviceDisabled: "the device is disabled",
	NoProduct:      "the product does not exist",
	NoDevice:       "the device does not exist",
	Forbidden:      "the device is disabled",
	BadName:        "the device name is not valid",
	BoundElsewhere: "the device belongs to another gateway",
	TooManyProps:   "too many properties",
	NoScript:       "no script for raw data",
	NotJSON:        "the payload is not JSON",
	BadSign:        "the signature of the sub-device is wrong",
	NoRegistration: "dynamic registration is off for the product",
	AlreadyActive:  "the device is active already",
	BadSignMethod:  "the sign method is not supported",
	TooManySubs:    "too many sub-devices",
	NoTopology:     "the device is not in the gateway's topology",
	SelfTopology:   "a gateway cannot be its own sub-device",
	NoMethod:       "the method does not exist, or does not match the topic",
	NoConfig:       "no configuration",
	ConfigScope:    "configuration scope or type not supported",
	NotAlink:       "the topic is not one of Alink",
	NoFirmware:     "no firmware for the device",
}

// String is the message that goes with the code.
func (c Code) String() string {
	if m, ok := messages[c]; ok {
		return m
	}
	return "error"
}
