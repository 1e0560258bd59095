package openapi

import (
	"net/url"
	"testing"
)

// The example of the documentation on signing, with AccessKeyId testid and AccessKeySecret testsecret.
func TestTheDocumentedSignature(t *testing.T) {
	p, err := url.ParseQuery("MessageContent=aGVsbG93b3JsZA%3D&Action=Pub&Timestamp=2017-10-02T09%3A39%3A41Z&SignatureVersion=1.0&" +
		"ServiceCode=iot&Format=XML&Qos=0&SignatureNonce=0715a395-aedf-4a41-bab7-746b43d38d88&Version=2017-04-20&AccessKeyId=testid&" +
		"SignatureMethod=HMAC-SHA1&RegionId=cn-shanghai&ProductKey=12345abcdeZ&TopicFullName=%2FproductKey%2Ftestdevice%2Fget")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := sign1("GET", p, "testsecret", "HMAC-SHA1"); !ok || got != "Y9eWn4nF8QPh3c4zAFkM/k/u7eA=" {
		t.Errorf("signature %q, %v", got, ok)
	}
}
