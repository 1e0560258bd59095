package credential_test

import (
	"fmt"

	"sampan/broker/credential"
)

// onlyLamp is a directory with one device.
type onlyLamp struct{}

func (onlyLamp) DeviceSecret(productKey, deviceName []byte) ([]byte, credential.Standing) {
	if string(productKey) != "a1B2c3D4e5" {
		return nil, credential.NoProduct
	}
	if string(deviceName) != "lamp" {
		return nil, credential.NoDevice
	}
	return []byte("lamp-secret"), credential.Enabled
}

func (onlyLamp) ProductSecret([]byte) ([]byte, credential.Standing) { return nil, credential.NoProduct }
func (onlyLamp) DeviceToken(_, _, _ []byte) ([]byte, credential.Standing) {
	return nil, credential.NoDevice
}
func (onlyLamp) Ticket([]byte) (productKey, deviceName, token []byte, s credential.Standing) {
	return nil, nil, nil, credential.NoTicket
}

func Example() {
	lamp := credential.Device{ProductKey: "a1B2c3D4e5", DeviceName: "lamp", DeviceSecret: "lamp-secret"}
	fields := lamp.Login(credential.Options{ClientID: "12345", Method: credential.HMACSHA256, Timestamp: "789"})
	fmt.Println(fields.ClientID)
	fmt.Println(fields.Username)

	v := credential.Verifier{Directory: onlyLamp{}}
	var login credential.Login
	connect := &credential.Connect{
		ClientID: []byte(fields.ClientID), Username: []byte(fields.Username), Password: []byte(fields.Password),
	}
	fmt.Println(v.Verify(connect, &login), string(login.DeviceName))

	connect.Password = []byte("0" + fields.Password[1:])
	fmt.Println(v.Verify(connect, &login))
	// Output:
	// 12345|securemode=3,signmethod=hmacsha256,timestamp=789|
	// lamp&a1B2c3D4e5
	// <nil> lamp
	// credential: bad-signature: the password is not the hmacsha256 of "clientId12345deviceNamelampproductKeya1B2c3D4e5timestamp789"
}
