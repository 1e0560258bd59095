package openapi

import "net/http"

// Error is the answer to a request that was not done.
type Error struct {
	// Status is the HTTP status: 400 or above for a request that is wrong as such, 200 for one that was
	// understood but could not be done.
	Status  int
	Code    string // such as "iot.device.NotExistedDevice"
	Message string
}

func (e *Error) Error() string { return "openapi: " + e.Code + ": " + e.Message }

// wrong makes an error about the request as such.
func wrong(status int, code, message string) *Error { return &Error{status, code, message} }

// failed makes an error about what was asked for.
func failed(code, message string) *Error { return &Error{http.StatusOK, code, message} }

// Errors about requests as such. Their codes are those of the platform's common gateway.
var (
	errBody        = wrong(http.StatusBadRequest, "InvalidParameter", "The body cannot be read, or is larger than 1 MiB.")
	errAction      = wrong(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	errVersion     = wrong(http.StatusBadRequest, "InvalidVersion", "Specified parameter Version is not valid; use 2018-01-20.")
	errAccessKey   = wrong(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	errSignature   = wrong(http.StatusBadRequest, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
	errMethod      = wrong(http.StatusBadRequest, "InvalidSignatureMethod", "Specified parameter SignatureMethod is not supported; use HMAC-SHA1 or HMAC-SHA256.")
	errExpired     = wrong(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	errTimestamp   = wrong(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted; it is like 2026-01-02T03:04:05Z.")
	errNonceUsed   = wrong(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	errMissingSign = wrong(http.StatusBadRequest, "MissingSignature", "The request has neither a Signature parameter nor an Authorization header.")
	errHTTPMethod  = wrong(http.StatusMethodNotAllowed, "UnsupportedHTTPMethod", "Use GET or POST.")
)

func missing(name string) *Error {
	return wrong(http.StatusBadRequest, "Missing"+name, name+" is mandatory for this action.")
}
