package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// API returns the Caller for a broker that is reached by its server-side HTTP API only: a host and port, or
// a URL. What the API cannot do fails and says so.
func API(address, accessKeyID, accessKeySecret string) (Caller, error) {
	return APIThrough(nil, address, accessKeyID, accessKeySecret)
}

// APIThrough is API with a transport other than net/http's own, for plain http addresses.
func APIThrough(transport http.RoundTripper, address, accessKeyID, accessKeySecret string) (Caller, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("the API's address %q: write host:port, http://host:port or https://host", address)
	}
	u.Path = "/"
	if accessKeyID == "" || accessKeySecret == "" {
		return nil, errors.New("calls of the API are signed: an access key's id and secret are needed; 'sampan accesskey create' makes one")
	}
	return &api{
		endpoint: u.String(), key: accessKeyID, secret: accessKeySecret,
		client: &http.Client{Transport: transport}, now: time.Now,
	}, nil
}

// api carries operations out as calls of the platform's API, version 2018-01-20 (platform: facts, section 5).
type api struct {
	endpoint    string
	key, secret string
	client      *http.Client
	now         func() time.Time
}

// apiOperations are the operations that the API can do, by name.
var apiOperations map[string]func(ctx context.Context, a *api, params []byte) ([]byte, error)

func init() {
	apiOperations = map[string]func(ctx context.Context, a *api, params []byte) ([]byte, error){
		productCreate.name: byAPI(productCreate, (*api).createProduct),
		productList.name:   byAPI(productList, (*api).listProducts),
		productShow.name:   byAPI(productShow, (*api).showProduct),
		deviceCreate.name:  byAPI(deviceCreate, (*api).createDevices),
		deviceList.name:    byAPI(deviceList, (*api).listDevices),
		deviceShow.name:    byAPI(deviceShow, (*api).showDevice),
		deviceEnable.name:  byAPI(deviceEnable, changeByAPI("EnableThing")),
		deviceDisable.name: byAPI(deviceDisable, changeByAPI("DisableThing")),
		deviceReset.name:   byAPI(deviceReset, changeByAPI("ResetThing")),
		deviceDelete.name:  byAPI(deviceDelete, (*api).deleteDevice),
		topicCreate.name:   byAPI(topicCreate, (*api).createTopic),
		topicList.name:     byAPI(topicList, (*api).listTopics),
		topicDelete.name:   byAPI(topicDelete, (*api).deleteTopic),
		rrpcCall.name:      byAPI(rrpcCall, (*api).rrpc),
	}
}

// byAPI is how the API does an operation, without its types.
func byAPI[P, R any](_ operation[P, R], do func(a *api, ctx context.Context, p P) (R, error)) func(context.Context, *api, []byte) ([]byte, error) {
	return func(ctx context.Context, a *api, params []byte) ([]byte, error) {
		var p P
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, err
		}
		result, err := do(a, ctx, p)
		if err != nil {
			return nil, err
		}
		return json.Marshal(result)
	}
}

func (a *api) call(ctx context.Context, name string, params []byte) ([]byte, error) {
	do, found := apiOperations[name]
	if !found {
		return nil, fmt.Errorf("the API cannot do this; use --data on the broker's machine")
	}
	return do(ctx, a, params)
}

func (a *api) Close() error {
	a.client.CloseIdleConnections()
	return nil
}

// apiError is an answer that says what went wrong.
type apiError struct {
	Code         string
	Message      string // of a request that is wrong as such
	ErrorMessage string // of one that could not be done
}

func (e *apiError) Error() string {
	return "the API answers " + e.Code + ": " + e.Message + e.ErrorMessage
}

// do calls an action and decodes its answer into result.
func (a *api) do(ctx context.Context, action string, params map[string]string, result any) error {
	form := a.signed(action, params)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := a.client.Do(request)
	if err != nil {
		return fmt.Errorf("the API does not answer: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	switch {
	case err != nil:
		return fmt.Errorf("the API's answer: %w", err)
	case len(body) > largest:
		return errors.New("the API's answer is too long")
	}
	var answer struct {
		Success bool
		apiError
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the API answers %s, which is not JSON: %w", response.Status, err)
	}
	if !answer.Success {
		return &answer.apiError
	}
	return json.Unmarshal(body, result)
}
