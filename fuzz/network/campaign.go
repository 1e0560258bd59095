package network

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
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
	// Found is called once for each finding when it is complete, at the end for those that could not be repeated;
	// nil: it is not.
	Found func(*Finding)
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

// Report is the result of a campaign.
type Report struct {
	Profile     string     `json:"profile"`
	Seed        uint64     `json:"seed"`
	Seconds     float64    `json:"seconds"`
	Scripts     int        `json:"scripts"`
	Effects     int        `json:"effects"`
	Deviations  []*Finding `json:"deviations"`
	Differences []*Finding `json:"differences,omitempty"` // between two brokers, where the first is not wrong; the second is if Rule is not NoRule
}

// Run carries out the campaign. It ends early with an error if a broker cannot be reached at all, or with a RestartError
// if the first cannot be restarted; one that crashes or hangs later is a finding, and the end.
func (c *Campaign) Run(ctx context.Context) (*Report, error) {
	r := c.begin()
	r.maker = &maker{
		rnd: rand.New(rand.NewPCG(c.Seed, 1)), rules: &c.Rules, slow: c.Slow, restarts: c.Restart != nil,
		effects: make(map[string]bool), avoid: make(map[string]bool),
	}
	defer r.birds.close()
	defer r.tellRest()
	if c.Other != nil {
		if err := r.beside(ctx); err != nil {
			return r.report, err
		}
	}
	return r.report, r.loop(ctx)
}

// begin makes what a run and the replay of a script have in common.
func (c *Campaign) begin() *run {
	r := &run{c: c, found: make(map[string]*Finding), patience: c.Patience,
		report: &Report{Profile: c.Rules.Name, Seed: c.Seed, Deviations: []*Finding{}}}
	if r.patience == 0 {
		r.patience = 2 * time.Second
	}
	r.birds = newCanaries(c.Dial, r.patience, c.Username, c.Password)
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
	second   *canaries // for a look at the second broker
	maker    *maker
	suspects []*script.Script // carried out since the canaries were well, the last one last
	fatal    *RestartError    // nothing can go on
	patience time.Duration
	report   *Report
	found    map[string]*Finding // by key
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
			r.unwell(ctx, h)
			if h := r.check(ctx); h != nil && h.What != "lost" {
				r.unwell(ctx, h)
				return r.stopped()
			}
		}
	}
	told := begin
	for r.fatal == nil && time.Since(begin) < r.c.Duration && (r.c.Scripts == 0 || r.report.Scripts < r.c.Scripts) && ctx.Err() == nil {
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
		if errors.As(res.Err, &r.fatal) {
			break
		}
		if len(r.target.Said) > 0 { // it got as far as that
			r.suspects = append(r.suspects, s)
		}
		f := finding(s, res, r.target.Said)
		if r.report.Scripts%checkEvery == 0 || res.Err != nil || f != nil && r.found[f.key] == nil {
			if h := r.check(ctx); h != nil {
				r.unwell(ctx, h)
				if h.What != "lost" || r.fatal != nil {
					break
				}
				if res.Err != nil {
					continue // that was why
				}
			}
		}
		switch {
		case f != nil:
			r.avoid(s, res)
			r.note(ctx, s, f, &r.report.Deviations, r.deviates)
			r.suspects = append(r.suspects, s) // which may have been carried out many times
		case r.other != nil && !restarts(s):
			r.compare(ctx, s)
		}
		if r.c.Progress != nil && time.Since(told) > time.Second {
			told = time.Now()
			r.c.Progress(Progress{time.Since(begin), r.report.Scripts, len(r.maker.effects), len(r.report.Deviations)})
		}
	}
	r.report.Effects = len(r.maker.effects)
	return r.stopped()
}

// stopped is the error that has ended the run, if one has.
func (r *run) stopped() error {
	if r.fatal != nil {
		return r.fatal
	}
	return nil
}

// avoid tells the maker which malformed packets the broker is known to let pass.
func (r *run) avoid(s *script.Script, res script.Result) {
	if d := res.Deviation; d != nil && res.Step < len(s.Steps) && model.Violates(s.Steps[res.Step].Raw) == d.Rule {
		r.maker.avoid[d.Rule] = true
	}
}

// deviates is a trial: it looks for a deviation.
func (r *run) deviates(ctx context.Context, s *script.Script) *Finding {
	res := r.play(ctx, r.target, s)
	errors.As(res.Err, &r.fatal)
	return finding(s, res, r.target.Said)
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

// restarts reports whether a script restarts the broker: there is only one that can be.
func restarts(s *script.Script) bool {
	return slices.ContainsFunc(s.Steps, func(st script.Step) bool { return st.Kind == script.Restart })
}
