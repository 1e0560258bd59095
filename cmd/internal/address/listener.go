package address

import "fmt"

// ParseListener reads the address of a listener: mqtt://127.0.0.1:1883, mqtts://:8883, ws://[::1]:80/mqtt,
// unix:///run/sampan.sock. Without a host it listens on every address of the machine, with port 0 on any
// free port. Two parameters may follow: accept=LEVEL,LEVEL names the levels that it lets in, and socket=NAME
// takes over a socket that systemd has opened at this address.
func ParseListener(text string) (URL, error) {
	u, err := parse(text, []Scheme{MQTT, MQTTS, WS, WSS, PSK, Unix, Auto, Chip})
	if err == nil {
		err = u.checkParameters()
	}
	if err != nil {
		return URL{}, fmt.Errorf("listen address %q: %w", withoutCredentials(text), err)
	}
	return u, nil
}

// Listeners is the setting that names listeners, one a flag. It implements pflag.Value and pflag.SliceValue.
type Listeners struct {
	URLs []URL
	set  bool
}

// Set adds a listener. The first one replaces the default.
func (l *Listeners) Set(text string) error {
	u, err := ParseListener(text)
	if err != nil {
		return err
	}
	if !l.set {
		l.URLs, l.set = nil, true
	}
	l.URLs = append(l.URLs, u)
	return nil
}

// String is the list in brackets.
func (l *Listeners) String() string { return fmt.Sprint(l.URLs) }

// Type is the word that --help shows for the value.
func (l *Listeners) Type() string { return "url" }

// Append adds a listener to what is there, the default included.
func (l *Listeners) Append(text string) error {
	l.set = true
	return l.Set(text)
}

// Replace reads the whole list.
func (l *Listeners) Replace(texts []string) error {
	var read Listeners
	for _, text := range texts {
		if err := read.Set(text); err != nil {
			return err
		}
	}
	*l = read
	l.set = true
	return nil
}

// GetSlice is the list as it would be written.
func (l *Listeners) GetSlice() []string {
	texts := make([]string, len(l.URLs))
	for i, u := range l.URLs {
		texts[i] = u.String()
	}
	return texts
}
