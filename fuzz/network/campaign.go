package network

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
)

// Campaign looks for deviations of a broker.
type Campaign struct {
	Dial     Dialer
	Rules    model.Rules   // what the broker legitimately does
	Duration time.Duration // how long to look
	Scripts  int           // how many scripts at most; 0: as many as there is time for
	Seed     uint64        // the same seed makes the same scripts, as far as the broker's answers are the same
	Patience time.Duration // how long an answer may take; default 2 s
	Username string        // for brokers that ask for credentials; they win over those of a script, and are not reported
	Password string

	// Slow lets scripts wait, so that keep-alives run out. That takes seconds, and most of the time.
	Slow bool
	// Restart stops the broker and starts it again, which scripts then do. Sessions with CleanSession 0, and
	// retained messages, must survive it. nil: they do not.
	Restart Restarter
	// Other is a second broker on which every script is carried out too; nil: none.
	Other Dialer
	// Progress is called about every second; nil: it is not.
	Progress func(Progress)
}

// Progress is how far a campaign has come.
type Progress struct {
	Elapsed    time.Duration
	Scripts    int
	Effects    int // kinds of answers seen
	Deviations int // different ones
}

// Finding is a deviation with the shortest script that shows it.
type Finding struct {
	Rule       string   `json:"rule"` // the statement's id
	Text       string   `json:"text"`
	Got        string   `json:"got,omitempty"`
	Bytes      string   `json:"bytes,omitempty"` // of the packet that shows it, hexadecimal
	Want       string   `json:"want,omitempty"`
	Script     string   `json:"script"`
	Transcript []string `json:"transcript"`
	Count      int      `json:"count"`  // scripts that showed it
	Repeats    bool     `json:"stable"` // it was seen again when the script was repeated
}

// Report is the result of a campaign.
type Report struct {
	Profile     string     `json:"profile"`
	Seed        uint64     `json:"seed"`
	Seconds     float64    `json:"seconds"`
	Scripts     int        `json:"scripts"`
	Effects     int        `json:"effects"`
	Deviations  []*Finding `json:"deviations"`
	Differences []*Finding `json:"differences,omitempty"` // where two brokers differ, neither of them wrong
}

// Run carries out the campaign. It ends early with an error if the broker cannot be reached at all; a broker
// that crashes or hangs later is a finding, and the end.
func (c *Campaign) Run(ctx context.Context) (*Report, error) {
	r := c.begin()
	r.maker = &maker{
		rnd: rand.New(rand.NewPCG(c.Seed, 1)), rules: &c.Rules, slow: c.Slow, restarts: c.Restart != nil,
		effects: make(map[string]bool), avoid: make(map[string]bool),
	}
	if c.Other != nil {
		r.other = r.on(c.Other)
	}
	defer r.birds.close()
	return r.report, r.loop(ctx)
}

// begin makes what a run and the replay of a script have in common.
func (c *Campaign) begin() *run {
	r := &run{c: c, found: make(map[string]*Finding), differ: make(map[string]*Finding), patience: c.Patience,
		report: &Report{Profile: c.Rules.Name, Seed: c.Seed, Deviations: []*Finding{}}}
	if r.patience == 0 {
		r.patience = 2 * time.Second
	}
	r.birds = &canaries{dial: c.Dial, patience: r.patience, user: c.Username, pass: c.Password}
	r.target = r.on(c.Dial)
	if c.Restart != nil {
		r.target.Restarter = r.restart
	}
	return r
}

// run is a campaign under way.
type run struct {
	c        *Campaign
	target   *Target
	other    *Target
	birds    *canaries
	maker    *maker
	patience time.Duration
	report   *Report
	found    map[string]*Finding
	differ   map[string]*Finding
}

func (r *run) on(d Dialer) *Target {
	return &Target{Dial: d, Patience: r.patience, Username: r.c.Username, Password: r.c.Password}
}

// checkEvery is after how many scripts the canaries sing.
const checkEvery = 10

func (r *run) loop(ctx context.Context) error {
	begin := time.Now()
	defer func() { r.report.Seconds = time.Since(begin).Seconds() }()
	if h := r.birds.sing(ctx); h != nil {
		return h
	}
	if r.c.Rules.Name != "platform" { // which slows down who sends so much
		if h := r.birds.besideDeaf(ctx); h != nil {
			r.unwell(h, &script.Script{Profile: r.c.Rules.Name})
		}
	}
	told := begin
	for time.Since(begin) < r.c.Duration && (r.c.Scripts == 0 || r.report.Scripts < r.c.Scripts) && ctx.Err() == nil {
		s, code := r.maker.next()
		if len(s.Steps) == 0 {
			continue
		}
		r.report.Scripts++
		res := r.play(ctx, r.target, s)
		r.maker.learn(code, effect(r.target.Said))
		if ctx.Err() != nil {
			break
		}
		if res.Deviation != nil || res.Err != nil {
			r.note(ctx, s, res)
		} else if r.other != nil && !restarts(s) {
			r.compare(ctx, s)
		}
		if r.report.Scripts%checkEvery == 0 || res.Err != nil {
			if h := r.birds.sing(ctx); h != nil {
				r.unwell(h, s)
				if h.What != "lost" {
					break
				}
			}
		}
		if r.c.Progress != nil && time.Since(told) > time.Second {
			told = time.Now()
			r.c.Progress(Progress{time.Since(begin), r.report.Scripts, len(r.maker.effects), len(r.report.Deviations)})
		}
	}
	r.report.Effects = len(r.maker.effects)
	return nil
}

// play carries out a script, and cleans up before and after it.
func (r *run) play(ctx context.Context, t *Target, s *script.Script) script.Result {
	patience := t.Patience
	t.Patience = r.patience // what is left behind is taken for a deviation of the next script
	t.prepare(ctx, s)
	t.Patience = patience
	t.Begin(ctx)
	rules := r.c.Rules
	rules.Foreign, rules.Slack = foreign, slack
	res := script.Run(s, rules, t)
	said := t.Said
	t.Patience = r.patience
	t.clean(ctx, s)
	t.Said, t.Patience = said, patience
	return res
}

// key tells one deviation from another: the rule, what is wrong, and at what kind of packet.
func key(s *script.Script, res script.Result) string {
	if res.Err != nil {
		return "error: " + res.Err.Error()
	}
	d := res.Deviation
	step := ""
	if res.Step < len(s.Steps) {
		step = firstWords(s.Steps[res.Step].String()[1:], 1)
	}
	return d.Rule + "|" + firstWords(d.Text, 6) + "|" + firstWords(d.Want, 1) + "|" + step
}

func firstWords(s string, n int) string {
	words := strings.Fields(s)
	return strings.Join(words[:min(n, len(words))], " ")
}

// tries bounds the scripts that are carried out to reduce one.
const tries = 150

// minPatience is how long an answer may take at least while a script is reduced.
const minPatience = 250 * time.Millisecond

// note makes a finding of a deviation that is new: it repeats the script, and reduces it.
func (r *run) note(ctx context.Context, s *script.Script, res script.Result) {
	k := key(s, res)
	if f := r.found[k]; f != nil {
		f.Count++
		return
	}
	f := &Finding{Count: 1}
	r.found[k] = f
	r.report.Deviations = append(r.report.Deviations, f)
	f.fill(s, res, r.target.Said)
	if d := res.Deviation; d != nil && res.Step < len(s.Steps) && model.Violates(s.Steps[res.Step].Raw) == d.Rule {
		r.maker.avoid[d.Rule] = true
	}
	again := r.play(ctx, r.target, s)
	f.Repeats = (again.Deviation != nil || again.Err != nil) && key(s, again) == k
	if !f.Repeats {
		return
	}
	// What is missing has to be waited for in every try. Whether it really is, is seen in the end.
	r.target.Patience = min(r.patience, max(minPatience, r.patience/8))
	best := script.Minimise(s, tries, func(shorter *script.Script) bool {
		if ctx.Err() != nil {
			return false
		}
		res := r.play(ctx, r.target, shorter)
		return (res.Deviation != nil || res.Err != nil) && key(shorter, res) == k
	})
	r.target.Patience = r.patience
	if last := r.play(ctx, r.target, best); (last.Deviation != nil || last.Err != nil) && key(best, last) == k {
		f.fill(best, last, r.target.Said)
	}
}

func (f *Finding) fill(s *script.Script, res script.Result, said []string) {
	f.Script, f.Transcript = s.String(), said
	if res.Err != nil {
		f.Rule, f.Text = "none", res.Err.Error()
		return
	}
	d := res.Deviation
	f.Rule, f.Text, f.Want = d.Rule, d.Text, d.Want
	f.Got, f.Bytes = "", ""
	if d.Got != nil {
		f.Got, f.Bytes = model.Describe(d.Got), fmt.Sprintf("%x", d.Got)
	}
}

// unwell makes a finding of what the canaries say.
func (r *run) unwell(h *Health, s *script.Script) {
	if f := r.found[h.What]; f != nil {
		f.Count++
		return
	}
	f := &Finding{Rule: h.What, Text: h.Err.Error(), Script: s.String(), Transcript: r.target.Said, Count: 1}
	r.found[h.What] = f
	r.report.Deviations = append(r.report.Deviations, f)
}

// restarts reports whether a script restarts the broker: there is only one that can be.
func restarts(s *script.Script) bool {
	return slices.ContainsFunc(s.Steps, func(st script.Step) bool { return st.Kind == script.Restart })
}

// compare carries out a script that was in order on the second broker.
func (r *run) compare(ctx context.Context, s *script.Script) {
	said := r.target.Said
	res := r.play(ctx, r.other, s)
	what, rule := "", "none"
	switch {
	case res.Deviation != nil:
		what, rule = "only the second broker deviates: "+res.Deviation.Text, res.Deviation.Rule
	case res.Err != nil:
		what = "only the second broker fails: " + res.Err.Error()
	case effect(said) != effect(r.other.Said):
		what = "the brokers answer differently, both within the standard"
	default:
		return
	}
	k := rule + what
	if f := r.differ[k]; f != nil {
		f.Count++
		return
	}
	f := &Finding{Rule: rule, Text: what, Script: s.String(), Count: 1, Repeats: true,
		Transcript: append(append(append([]string{"first broker:"}, said...), "second broker:"), r.other.Said...)}
	r.differ[k] = f
	r.report.Differences = append(r.report.Differences, f)
}

// effect is a transcript without what differs from run to run: the sequence of what each connection has
// received, without identifiers and payloads.
func effect(said []string) string {
	var of [script.Conns]strings.Builder
	for _, line := range said {
		i := int(line[0] - 'A')
		if i < 0 || i >= len(of) || len(line) < 4 {
			continue
		}
		words := strings.Fields(line[1:])
		if words[0] == ">" {
			of[i].WriteString(">" + words[1] + " ")
			continue
		}
		for _, w := range words {
			if w != "id" && w[0] != '"' && !(w[0] >= '0' && w[0] <= '9') {
				of[i].WriteString(w + " ")
			}
		}
	}
	var all strings.Builder
	for i := range of {
		all.WriteString(of[i].String() + "\n")
	}
	return all.String()
}

// Replay carries out one script and returns what became of it, with the transcript.
func (c *Campaign) Replay(ctx context.Context, s *script.Script) (*Finding, []string) {
	r := c.begin()
	defer r.birds.close()
	t := r.target
	res := r.play(ctx, t, s)
	if res.Deviation == nil && res.Err == nil {
		return nil, t.Said
	}
	f := &Finding{Count: 1}
	f.fill(s, res, t.Said)
	return f, t.Said
}
