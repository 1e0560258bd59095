package address

import (
	"errors"
	"fmt"
)

// ParseTarget reads the address of a broker to connect to. Parameters in the URL are refused: a client has
// flags for what they would say.
func ParseTarget(text string) (URL, error) {
	u, err := parse(text, []Scheme{MQTT, MQTTS, WS, WSS, PSK, Unix})
	switch {
	case err != nil:
	case len(u.Query) > 0:
		err = errors.New("a broker's address has no parameters")
	case u.Scheme != Unix && u.Host == "":
		err = fmt.Errorf("has no host: write %s://localhost", u.Scheme)
	case u.Scheme != Unix && u.Port == 0:
		err = errors.New("port 0 is for listeners")
	}
	if err != nil {
		return URL{}, fmt.Errorf("broker address %q: %w", withoutCredentials(text), err)
	}
	return u, nil
}

// Target is the setting that names a broker. It implements pflag.Value.
type Target struct{ URL }

// Set reads the address.
func (t *Target) Set(text string) error {
	u, err := ParseTarget(text)
	if err == nil {
		t.URL = u
	}
	return err
}

// Type is the word that --help shows for the value.
func (t *Target) Type() string { return "url" }
