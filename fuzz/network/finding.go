package network

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
)

// NoRule is the Rule of a finding that breaks none: an error, or brokers that differ within the standard.
const NoRule = "none"

// Finding is a deviation with the shortest script that shows it.
type Finding struct {
	Rule       string   `json:"rule"` // the statement's id; crash, hang, lost or deaf, as the canaries say; or NoRule
	Text       string   `json:"text"`
	Connection string   `json:"connection,omitempty"` // on which it showed: A to H
	Step       int      `json:"step,omitempty"`       // of the script, from 1
	Action     string   `json:"action,omitempty"`     // what that step is
	Got        string   `json:"got,omitempty"`
	Bytes      string   `json:"bytes,omitempty"` // of the packet got, or without one of that which the step sent; hexadecimal
	Want       string   `json:"want,omitempty"`
	Script     string   `json:"script,omitempty"`  // empty if no script was under way
	Earlier    []string `json:"earlier,omitempty"` // scripts of which one may have done it instead, the last one first
	Transcript []string `json:"transcript"`
	Count      int      `json:"count"`   // scripts that showed it
	Repeats    bool     `json:"repeats"` // it was seen again when the script was repeated

	key   string // tells it from others
	tried int    // how many scripts were repeated to see it again
	told  bool   // Campaign.Found was called
}

// finding is what a script has shown on a target; nil: nothing.
func finding(s *script.Script, res script.Result, said []string) *Finding {
	f := &Finding{Script: s.String(), Transcript: said}
	conn, kind := -1, ""
	if res.Step < len(s.Steps) {
		st := &s.Steps[res.Step]
		f.Step, f.Action, f.Bytes = res.Step+1, strings.TrimPrefix(st.String(), "& "), hex.EncodeToString(st.Raw)
		kind = firstWords(f.Action[1:], 1)
		if f.Action[1] == ' ' { // not a restart
			conn = st.Conn
		}
	}
	switch d := res.Deviation; {
	case d != nil:
		f.Rule, f.Text, f.Want, conn = d.Rule, d.Text, d.Want, d.Conn
		if d.Got != nil {
			f.Got, f.Bytes = model.Describe(d.Got), hex.EncodeToString(d.Got)
		}
		f.key = d.Rule + "|" + firstWords(d.Text, 6) + "|" + firstWords(d.Want, 1) + "|" + kind
	case res.Err != nil:
		f.Rule, f.Text = NoRule, plain(res.Err)
		f.key = "error: " + f.Text
	default:
		return nil
	}
	if conn >= 0 {
		f.Connection = string(rune('A' + conn))
	}
	return f
}

func firstWords(s string, n int) string {
	words := strings.Fields(s)
	return strings.Join(words[:min(n, len(words))], " ")
}

// plain is an error's text without the ports of this side, by which no two would be the same.
func plain(err error) string {
	text := err.Error()
	var walk func(error)
	walk = func(err error) {
		if op, ok := err.(*net.OpError); ok && op.Source != nil && op.Err != nil {
			text = strings.ReplaceAll(text, op.Error(), op.Op+": "+op.Err.Error())
		}
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err)
			}
		default:
			if next := errors.Unwrap(err); next != nil {
				walk(next)
			}
		}
	}
	walk(err)
	return text
}

// trial carries out a script and returns what it shows, nil if that is nothing.
type trial func(ctx context.Context, s *script.Script) *Finding

const (
	// repeats bounds the scripts of one finding that are repeated, until one shows it again.
	repeats = 3
	// tries bounds the scripts that are carried out to reduce one.
	tries = 150
)

// note counts what a script has shown. What is new goes into the report; its script is repeated, and reduced if it
// shows the same again. If it does not, those of the next scripts that show it have their turn.
func (r *run) note(ctx context.Context, s *script.Script, seen *Finding, to *[]*Finding, try trial) {
	f := r.found[seen.key]
	if f == nil {
		f = seen
		r.found[f.key] = f
		*to = append(*to, f)
	}
	f.Count++
	if f.Repeats || f.tried == repeats || ctx.Err() != nil {
		return
	}
	f.tried++
	if again := try(ctx, s); again != nil && again.key == f.key {
		f.become(again)
		r.reduce(ctx, s, f, tries, try)
	}
	if ctx.Err() == nil && (f.Repeats || f.tried == repeats) {
		r.tell(f)
	}
}

// become takes over what was seen again.
func (f *Finding) become(again *Finding) {
	again.Count, again.tried, again.told = f.Count, f.tried, f.told
	*f = *again
	f.Repeats = true
}

// minPatience is how long an answer may take at least while a script is reduced.
const minPatience = 250 * time.Millisecond

// reduce looks for the shortest script that shows the same.
func (r *run) reduce(ctx context.Context, s *script.Script, f *Finding, tries int, try trial) {
	// What is missing has to be waited for in every try. Whether it really is, is seen in the end.
	r.hurry(min(r.patience, max(minPatience, r.patience/8)))
	best := script.Minimise(s, tries, func(shorter *script.Script) bool {
		if ctx.Err() != nil || r.fatal != nil {
			return false
		}
		seen := try(ctx, shorter)
		return seen != nil && seen.key == f.key
	})
	r.hurry(r.patience)
	if last := try(ctx, best); last != nil && last.key == f.key {
		f.become(last)
	}
}

// hurry says how long an answer may take.
func (r *run) hurry(patience time.Duration) {
	r.target.Patience = patience
	if r.other != nil {
		r.other.Patience = patience
	}
}

// tell hands over a finding that is complete.
func (r *run) tell(f *Finding) {
	if f.told = true; r.c.Found != nil {
		r.c.Found(f)
	}
}

// tellRest hands over what nobody could repeat.
func (r *run) tellRest() {
	for _, all := range [][]*Finding{r.report.Deviations, r.report.Differences} {
		for _, f := range all {
			if !f.told {
				r.tell(f)
			}
		}
	}
}
