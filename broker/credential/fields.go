package credential

import "strconv"

// Device is what a device of the platform is given: the three strings that it logs in with.
type Device struct {
	ProductKey   string
	DeviceName   string
	DeviceSecret string
}

// Options say how a device logs in. The zero value but for SecureMode is a valid login of a device that
// does everything by default.
type Options struct {
	ClientID   string     // the text before the pipe; empty: productKey.deviceName, as the C SDK 4 does
	Method     Method     // the zero value is hmacmd5
	SecureMode SecureMode // zero: ModeTCP, since nobody who calls this has an iotToken
	Timestamp  string     // empty: none, which the platform allows; clients send milliseconds since 1970
	// Extra are further parameters as they are written, such as "_ss=1,ext=1".
	Extra string
}

// Fields are the three fields of CONNECT.
type Fields struct {
	ClientID string
	Username string
	Password string
}

// Login makes the fields of an ordinary login.
func (d Device) Login(o Options) Fields {
	if o.ClientID == "" {
		o.ClientID = d.ProductKey + "." + d.DeviceName
	}
	if o.SecureMode == 0 {
		o.SecureMode = ModeTCP
	}
	identifier := o.ClientID + "|securemode=" + strconv.Itoa(int(o.SecureMode)) + ",signmethod=" + o.Method.String()
	content := Content{ClientID: []byte(o.ClientID), DeviceName: []byte(d.DeviceName), ProductKey: []byte(d.ProductKey)}
	if o.Timestamp != "" {
		identifier += ",timestamp=" + o.Timestamp
		content.Timestamp = []byte(o.Timestamp)
	}
	return Fields{
		ClientID: identifier + extra(o.Extra) + "|",
		Username: d.DeviceName + "&" + d.ProductKey,
		Password: string(o.Method.AppendHex(nil, []byte(d.DeviceSecret), content.AppendTo(nil))),
	}
}

// Registration makes the fields with which a device asks for its secret (AuthRegister) or for a token
// (AuthRegisterNew). Its DeviceSecret is not used. random is any text without comma, pipe and blank, new for
// each registration; o.Timestamp is not sent, and o.SecureMode is ModeTLS unless set.
func (d Device) Registration(kind AuthType, productSecret, random string, o Options) Fields {
	if o.ClientID == "" {
		o.ClientID = d.DeviceName + "." + d.ProductKey
	}
	if o.SecureMode == 0 {
		o.SecureMode = ModeTLS
	}
	content := RegistrationContent{
		DeviceName: []byte(d.DeviceName),
		ProductKey: []byte(d.ProductKey),
		Random:     []byte(random),
	}
	return Fields{
		ClientID: o.ClientID + "|random=" + random + ",authType=" + kind.String() + ",securemode=" +
			strconv.Itoa(int(o.SecureMode)) + ",signmethod=" + o.Method.String() + extra(o.Extra) + "|",
		Username: d.DeviceName + "&" + d.ProductKey,
		Password: string(o.Method.AppendHex(nil, []byte(productSecret), content.AppendTo(nil))),
	}
}

// TokenLogin makes the fields of a login with the client id and the token that a registration of the kind
// AuthRegisterNew was answered with.
func (d Device) TokenLogin(clientID, token string, o Options) Fields {
	return Fields{
		ClientID: clientID + "|authType=" + AuthToken.String() + ",securemode=" +
			strconv.Itoa(int(ModeNoPreregistration)) + extra(o.Extra) + "|",
		Username: d.DeviceName + "&" + d.ProductKey,
		Password: token,
	}
}

func extra(parameters string) string {
	if parameters == "" {
		return ""
	}
	return "," + parameters
}
