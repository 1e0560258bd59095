package script

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sampan/fuzz/model"
	"sampan/packet"
)

// String writes the script as text, without the answers.
func (s *Script) String() string { return s.text(nil) }

// Explain writes the script as text with the answers that the model gives.
func (s *Script) Explain() string {
	e := &explainer{}
	Run(s, s.Rules(), e) // what the model says of itself is never a deviation
	for _, line := range e.said[len(s.Steps)] {
		e.say(len(s.Steps)-1, line)
	}
	return s.text(e.said)
}

func (s *Script) text(said map[int][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "profile %s\n", s.Profile)
	if s.Chunk > 0 {
		fmt.Fprintf(&b, "chunks %d\n", s.Chunk)
	}
	if s.Disk {
		fmt.Fprintln(&b, "store disk")
	}
	if s.Other {
		fmt.Fprintln(&b, "options other")
	}
	if s.Watched {
		fmt.Fprintln(&b, "watched")
	}
	if s.Told {
		fmt.Fprintln(&b, "principals")
	}
	for i := range s.Steps {
		fmt.Fprintln(&b, &s.Steps[i])
		for _, line := range said[i] {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}

// String writes the step as a line, without a line feed.
func (st *Step) String() string {
	name := string(rune('A' + st.Conn))
	switch st.Kind {
	case Ack:
		return fmt.Sprintf("%s ack %d", name, st.N)
	case Cut:
		return name + " cut"
	case Wait:
		return "wait " + st.For.String()
	case Restart:
		return "restart"
	case Late:
		return "store late"
	case PowerCut:
		if st.Raw == nil {
			return "power cut"
		}
		return "power cut during " + name + " " + PacketText(st.Raw)
	case Host:
		return hostText(st.Call)
	case Stall, Read, Hold, Again:
		return name + " " + manners[st.Kind]
	}
	if st.Join {
		name = "& " + name
	}
	return name + " " + PacketText(st.Raw)
}

// manners are the words for what a client does with what it gets.
var manners = map[Kind]string{Stall: "stall", Read: "read", Hold: "hold", Again: "again"}

// Parse reads a script. Lines that are indented, empty or begin with # are left out.
func Parse(text string) (*Script, error) {
	s := &Script{Profile: "open"}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || line[0] == '#' || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		if err := s.parseLine(fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w: %s", number, err, line)
		}
	}
	return s, nil
}

func (s *Script) parseLine(words []string) error {
	r := &reader{words: words}
	var st Step
	switch first := r.word(); first {
	case "profile":
		s.Profile = r.word()
		if _, ok := model.ByName(s.Profile); !ok && r.err == nil {
			return fmt.Errorf("no such profile")
		}
		return r.end()
	case "chunks":
		s.Chunk = r.number(1 << 20)
		return r.end()
	case "store":
		if r.is("late") {
			s.Steps = append(s.Steps, Step{Kind: Late})
			return r.end()
		}
		if s.Disk = r.word() == "disk"; !s.Disk {
			return errWords
		}
		return r.end()
	case "options":
		if s.Other = r.word() == "other"; !s.Other {
			return errWords
		}
		return r.end()
	case "watched":
		s.Watched = true
		return r.end()
	case "principals":
		s.Told = true
		return r.end()
	case "host":
		st = Step{Kind: Host, Call: r.host()}
		if err := r.end(); err != nil {
			return err
		}
	case "power":
		if r.word() != "cut" {
			return errWords
		}
		st = Step{Kind: PowerCut}
		s.Disk = true // there is no other store whose power can be cut
		if r.is("during") {
			conn, err := connection(r.word())
			if err != nil {
				return err
			}
			if st.Raw, err = parsePacket(r.words); err != nil {
				return err
			}
			st.Conn = conn
		} else if err := r.end(); err != nil {
			return err
		}
	case "wait":
		d, err := time.ParseDuration(r.word())
		if err != nil || d < 0 {
			return errWords
		}
		st = Step{Kind: Wait, For: d}
		if err := r.end(); err != nil {
			return err
		}
	case "restart":
		st = Step{Kind: Restart}
		if err := r.end(); err != nil {
			return err
		}
	case "&":
		st.Join = true
		first = r.word()
		fallthrough
	default:
		conn, err := connection(first)
		if err != nil {
			return err
		}
		st.Conn = conn
		for kind, word := range manners {
			if len(r.words) == 1 && r.is(word) {
				st.Kind = kind
			}
		}
		switch {
		case st.Kind != Send:
		case r.is("cut"):
			st.Kind = Cut
			if err := r.end(); err != nil {
				return err
			}
		case r.is("ack"):
			st.Kind, st.N = Ack, r.number(1<<16)
			if err := r.end(); err != nil {
				return err
			}
		default:
			raw, err := parsePacket(r.words)
			if err != nil {
				return err
			}
			st.Raw = raw
		}
		if st.Join && st.Kind != Send {
			return fmt.Errorf("only packets can be joined")
		}
	}
	s.Steps = append(s.Steps, st)
	return nil
}

// connection returns the number of a connection by its letter.
func connection(letter string) (int, error) {
	if len(letter) != 1 || letter[0] < 'A' || letter[0] >= 'A'+Conns {
		return 0, fmt.Errorf("connections are A to %c", 'A'+Conns-1)
	}
	return int(letter[0] - 'A'), nil
}

// end reports a mistake, or words that are left.
func (r *reader) end() error {
	if r.err == nil && len(r.words) > 0 {
		return fmt.Errorf("not understood: %s", strconv.Quote(r.words[0]))
	}
	return r.err
}

// explainer is a target that does what the model says, and writes it down.
type explainer struct {
	said map[int][]string
	told string // what a program is told by its broker
}

func (e *explainer) Send(int, []byte) error   { return nil }
func (e *explainer) Cut(int) error            { return nil }
func (e *explainer) Wait(time.Duration) error { return nil }
func (e *explainer) Restart() error           { return nil }
func (e *explainer) Late(bool) error          { return nil }
func (e *explainer) Stall(int) error          { return nil }
func (e *explainer) Read(int) error           { return nil }

func (e *explainer) Host(_ *model.Call, told string) error { e.told = told; return nil }

// PowerCut says what a broker with a disk that takes nothing says to a CONNECT.
func (e *explainer) PowerCut(int, []byte) ([]byte, bool, error) {
	p := packet.Connack{Code: packet.RefusedUnavailable}
	return p.AppendTo(nil), true, nil
}

func (e *explainer) Observe(m *model.Model, step int) (*model.Deviation, error) {
	if e.told != "" {
		e.say(step, "host < "+e.told)
		e.told = ""
	}
	for more := true; more; { // what one client answers may owe another something
		more = false
		for i := range Conns {
			packets, closed := m.Play(i)
			for _, p := range packets {
				e.say(step, fmt.Sprintf("%c < %s", 'A'+i, model.Describe(p)))
			}
			if closed {
				e.say(step, fmt.Sprintf("%c < closed", 'A'+i))
			}
			more = more || len(packets) > 0 || closed
		}
	}
	return nil, nil
}

func (e *explainer) say(step int, line string) {
	if e.said == nil {
		e.said = make(map[int][]string)
	}
	e.said[step] = append(e.said[step], line)
}
