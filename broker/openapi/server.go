package openapi

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sampan/broker/rrpc"
)

// Version is the version of the API, and VersionBefore the one that it also answers to.
const (
	Version       = "2018-01-20"
	VersionBefore = "2017-04-20"
)

const (
	maxBody = 1 << 20 // bytes; a payload of 256 KB is 342 KB in base64
	// window is how far a request's timestamp may be from now, in either direction.
	window = 15 * time.Minute
	// answerWrite is how long a caller may take to take an answer.
	answerWrite = 30 * time.Second
)

// Options configure a Server.
type Options struct {
	// AccessKey returns the secret of an access key. Required.
	AccessKey func(id string) (secret string, ok bool)
	// Actions are what can be asked for, by name. Required: see Actions.
	Actions map[string]Action
	// IDs numbers the messages of streams. nil: a source of their own.
	IDs *rrpc.IDs
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Logger gets a line for each request that is refused. nil: slog.Default().
	Logger *slog.Logger
}

// Action does what a request asks for. The error, if it is an *Error, is the answer; another one is logged
// and answered as iot.system.SystemException.
type Action func(ctx context.Context, p Params) (object, error)

// Server is the HTTP handler. It is safe for concurrent use.
type Server struct {
	opts    Options
	nonces  nonces
	served  atomic.Uint64
	refused atomic.Uint64
}

// NewServer returns a handler for the endpoint's root.
func NewServer(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.IDs == nil {
		o.IDs = rrpc.NewIDs(nil)
	}
	return &Server{opts: o}
}

// Stats is how many requests were done, and how many refused for what they are.
func (s *Server) Stats() (served, refused uint64) { return s.served.Load(), s.refused.Load() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action, params, asXML, err := s.accept(w, r)
	var result object
	if err == nil {
		result, err = s.do(r.Context(), action, params)
	}
	s.answer(w, r, action, result, err, asXML)
}

// answer writes what a request comes to.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, action string, result object, err error, asXML bool) {
	id := requestID()
	status, root := http.StatusOK, action+"Response"
	answer := object{{"RequestId", id}}
	if err == nil {
		s.served.Add(1)
		answer = append(answer, member{"Success", true})
		answer = append(answer, result...)
	} else {
		var e *Error
		if !errors.As(err, &e) {
			s.opts.Logger.Error("api action failed", "action", action, "requestId", id, "error", err)
			e = failed("iot.system.SystemException", "A system error occurred; the server's log names it by this RequestId.")
		}
		status = e.Status
		if status == http.StatusOK {
			answer = append(answer, member{"Success", false}, member{"Code", e.Code}, member{"ErrorMessage", e.Message})
		} else {
			s.refused.Add(1)
			root = "Error"
			answer = append(answer, member{"HostId", r.Host}, member{"Code", e.Code}, member{"Message", e.Message})
			s.opts.Logger.Warn("api request refused", "action", action, "addr", r.RemoteAddr, "code", e.Code, "requestId", id)
		}
	}
	body, contentType := render(root, answer, asXML)
	// The time that a server gives for a request may have gone by while a device was waited for, and it is not the
	// caller who was slow. Not every ResponseWriter has deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWrite))
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(body)
}

func (s *Server) do(ctx context.Context, name string, p Params) (object, error) {
	action := s.opts.Actions[name]
	if action == nil {
		return nil, errAction
	}
	return action(ctx, p)
}

// accept reads and authenticates a request.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) (action string, p Params, asXML bool, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", nil, false, errBody
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return "", nil, false, errHTTPMethod
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "", nil, false, errBody
	}
	all := query
	if len(body) > 0 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", nil, false, errBody
		}
		all = make(url.Values, len(query)+len(form))
		for _, part := range []url.Values{query, form} {
			for name, values := range part {
				all[name] = append(all[name], values...)
			}
		}
	}
	if header := r.Header.Get("Authorization"); header != "" {
		return s.accept3(r, header, query, all, body)
	}
	return s.accept1(r, all)
}

func (s *Server) accept1(r *http.Request, all url.Values) (action string, p Params, asXML bool, err error) {
	action, p = all.Get("Action"), Params(all)
	asXML = !strings.EqualFold(all.Get("Format"), "JSON")
	if all.Get("Signature") == "" {
		return action, p, asXML, errMissingSign
	}
	for _, name := range []string{"AccessKeyId", "Timestamp", "SignatureNonce", "Version"} {
		if all.Get(name) == "" {
			return action, p, asXML, missing(name)
		}
	}
	secret, ok := s.opts.AccessKey(all.Get("AccessKeyId"))
	if !ok {
		return action, p, asXML, errAccessKey
	}
	want, ok := sign1(r.Method, all, secret, all.Get("SignatureMethod"))
	if !ok {
		return action, p, asXML, errMethod
	}
	if !hmac.Equal([]byte(want), []byte(all.Get("Signature"))) {
		return action, p, asXML, errSignature
	}
	return action, p, asXML, s.fresh(all.Get("AccessKeyId"), all.Get("Timestamp"), all.Get("SignatureNonce"), all.Get("Version"))
}

func (s *Server) accept3(r *http.Request, header string, query, all url.Values, body []byte) (action string, p Params, asXML bool, err error) {
	action, p = r.Header.Get("X-Acs-Action"), Params(all)
	asXML = strings.EqualFold(all.Get("Format"), "XML")
	a, ok := parseAuthorization(header)
	if !ok {
		return action, p, asXML, errMissingSign
	}
	if sum := r.Header.Get("X-Acs-Content-Sha256"); sum != "" && !strings.EqualFold(sum, hashHex(body)) {
		return action, p, asXML, errSignature
	}
	secret, ok := s.opts.AccessKey(a.credential)
	if !ok {
		return action, p, asXML, errAccessKey
	}
	if !hmac.Equal([]byte(sign3(r, a.headers, query, body, secret)), []byte(strings.ToLower(a.signature))) {
		return action, p, asXML, errSignature
	}
	return action, p, asXML, s.fresh(a.credential, r.Header.Get("X-Acs-Date"), r.Header.Get("X-Acs-Signature-Nonce"), r.Header.Get("X-Acs-Version"))
}

// fresh checks what protects a signed request against being sent again.
func (s *Server) fresh(accessKey, timestamp, nonce, version string) error {
	at, err := time.Parse(time.RFC3339, timestamp)
	if err != nil {
		return errTimestamp
	}
	now := s.opts.Now()
	if d := now.Sub(at); d > window || d < -window {
		return errExpired
	}
	if version != Version && version != VersionBefore {
		return errVersion
	}
	if nonce == "" {
		return missing("SignatureNonce")
	}
	if !s.nonces.use(accessKey, nonce, now, window) {
		return errNonceUsed
	}
	return nil
}

// requestID is a random UUID in the platform's spelling.
func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
