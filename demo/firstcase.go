package demo

import (
	"context"
	"fmt"
	"time"

	"usher"
	"usher/console"
)

// Times of the story. With Fast nobody is waited for.
const (
	tries     = 14
	pause     = 1500 * time.Millisecond // so that a person can read
	between   = 4 * time.Second         // visitors, while the person looks around
	mostToSee = 20 * time.Second        // until a case must be there
)

// firstCase: an administrator edits the shop's registration and loses a slash.
func firstCase(ctx context.Context, c *company) (*Ending, error) {
	k, err := c.playFirstCase(ctx)
	if k == nil {
		return nil, err
	}
	return &Ending{Case: k, True: k.State == usher.CaseFixed}, err
}

func (c *company) playFirstCase(ctx context.Context) (*usher.Case, error) {
	c.voice.line("A shop, its identity provider and usher, all in this process, on this machine alone.")
	c.voice.line("")
	changes := c.usher.Engine().Subscribe(ctx)
	for _, v := range visitors {
		if err := c.expect(ctx, v, true); err != nil {
			return nil, err
		}
	}
	c.voice.say("Ann, Ben and Cleo sign in at the shop. All is well.")
	if err := c.pause(ctx, pause); err != nil {
		return nil, err
	}
	if err := c.lab.Switch("redirect-uri-mismatch", true); err != nil {
		return nil, err
	}
	c.voice.say("An administrator edits the client 'shop' at the provider, and loses the slash at the end of its redirect URI.")
	if err := c.pause(ctx, pause); err != nil {
		return nil, err
	}
	for i := range tries {
		// Two lines of a log that are the same to the millisecond are one event.
		time.Sleep(2 * time.Millisecond)
		if err := c.expect(ctx, visitors[i%len(visitors)], false); err != nil {
			return nil, err
		}
	}
	c.voice.say("%d times somebody tries to sign in, and sees an error page of the provider.", tries)
	found, err := c.await(ctx, changes, func(k *usher.Case) bool { return k.State == usher.CaseOpen && k.Count >= tries })
	if err != nil {
		return found, err
	}
	c.voice.say("usher, which follows the provider's log, has opened case %d (%s after the first refusal):", found.ID, seconds(found.Opened.Sub(found.First)))
	c.voice.quote(found.Summary)
	if c.opt.Fast {
		return c.fixIt(ctx, found, changes)
	}
	c.lookAround(found)
	return c.live(ctx, found, changes)
}

// expect has a visitor sign in, and wants it to work or not.
func (c *company) expect(ctx context.Context, v visitor, works bool) error {
	ok, err := c.shop.signIn(ctx, v)
	if err == nil && ok != works {
		err = &usher.Error{Code: usher.ErrInternal, Message: fmt.Sprintf("the sign-in of %s gives %t, the story wants %t", v.name, ok, works)}
	}
	return err
}

func (c *company) pause(ctx context.Context, d time.Duration) error {
	if c.opt.Fast {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// await waits for the story's case to be as wanted.
func (c *company) await(ctx context.Context, changes <-chan console.Change, want func(*usher.Case) bool) (*usher.Case, error) {
	ctx, cancel := context.WithTimeout(ctx, mostToSee)
	defer cancel()
	var last *usher.Case
	for {
		list, err := c.usher.Engine().List(ctx, console.Filter{All: true})
		if err != nil {
			return last, err
		}
		for i := range list {
			if k := &list[i]; k.Finding.Cause == "redirect-uri-mismatch" {
				last = k
				if want(k) {
					return k, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return last, &usher.Error{Code: usher.ErrInternal, Message: "the case is not as the story wants it: " + stateOf(last)}
		case _, ok := <-changes:
			if !ok { // too many changes at once: look now and then
				changes = nil
			}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func stateOf(k *usher.Case) string {
	if k == nil {
		return "there is none"
	}
	return fmt.Sprintf("case %d is %s after %d tries", k.ID, k.State, k.Count)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", max(d, 0).Seconds()) }

// lookAround tells a person where to look and what to do.
func (c *company) lookAround(k *usher.Case) {
	c.voice.line("")
	c.voice.point("Look at the case:", fmt.Sprintf("%s/cases/%d", c.usher.URL(), k.ID))
	if c.password != "" {
		c.voice.point("one-time password:", c.password)
	}
	c.voice.point("or in a terminal:", fmt.Sprintf("usher cases show %d --data %s", k.ID, c.data()))
	c.voice.line("")
	c.voice.line("          People go on trying. Press the fix on the page, or type")
	c.voice.point("", fmt.Sprintf("usher cases fix %d --data %s", k.ID, c.data()))
	c.voice.line("          and watch the next sign-in prove it. Ctrl-C ends the demo and removes everything.")
	c.voice.line("")
}

// fixIt does what a person would: plan, read, confirm; and then somebody signs in.
func (c *company) fixIt(ctx context.Context, k *usher.Case, changes <-chan console.Change) (*usher.Case, error) {
	const by = "the demo"
	fix := actionOf(k)
	if fix == nil {
		return k, &usher.Error{Code: usher.ErrInternal, Message: fmt.Sprintf("case %d has no fix that usher can carry out", k.ID)}
	}
	engine := c.usher.Engine()
	plan, err := engine.Plan(ctx, k.ID, fix.ID, by)
	if err != nil {
		return k, err
	}
	c.voice.say("The fix is planned: %s. It would change, of %s:", fix.Title, plan.Object)
	for _, d := range plan.Diff {
		if d.From != "" {
			c.voice.line("          - %s: %s", d.Field, d.From)
		}
		if d.To != "" {
			c.voice.line("          + %s: %s", d.Field, d.To)
		}
	}
	if _, err := engine.Apply(ctx, k.ID, console.Confirm{Fix: fix.ID, Plan: plan.ID}, by); err != nil {
		return k, err
	}
	c.voice.say("It is carried out. That proves nothing yet; usher waits for a sign-in.")
	if err := c.expect(ctx, visitors[0], true); err != nil {
		return k, err
	}
	c.voice.say("Ann signs in.")
	fixed, err := c.await(ctx, changes, func(k *usher.Case) bool { return k.State == usher.CaseFixed })
	if err != nil {
		return fixed, err
	}
	c.tellProof(fixed)
	return fixed, nil
}

func (c *company) tellProof(k *usher.Case) {
	c.voice.say("Case %d is fixed:", k.ID)
	if k.Proven != nil {
		c.voice.quote(k.Proven.Comment)
	}
}

// actionOf gives the first fix that usher can carry out and that weakens nothing.
func actionOf(k *usher.Case) *usher.Fix {
	for i := range k.Fixes {
		if f := &k.Fixes[i]; f.Action != nil && f.Risk != usher.RiskWeakening {
			return f
		}
	}
	return nil
}

// live goes on with the shop's day until ctx ends, and tells what happens to
// the case.
func (c *company) live(ctx context.Context, k *usher.Case, changes <-chan console.Change) (*usher.Case, error) {
	told := k.State
	turn := 0
	visit := time.NewTicker(between)
	defer visit.Stop()
	for {
		select {
		case <-ctx.Done():
			return k, nil
		case <-visit.C:
			if _, err := c.shop.signIn(ctx, visitors[turn%len(visitors)]); err != nil && ctx.Err() == nil {
				return k, err
			}
			turn++
		case _, ok := <-changes:
			if !ok {
				changes = c.usher.Engine().Subscribe(ctx)
			}
		}
		now, err := c.usher.Engine().Case(ctx, k.ID)
		if err != nil {
			continue // it is asked again with the next visitor
		}
		k = now
		if k.State == told {
			continue
		}
		told = k.State
		switch told {
		case usher.CaseFixed:
			c.tellProof(k)
			c.voice.line("          The shop goes on. Ctrl-C ends the demo.")
		case usher.CaseVerifying:
			c.voice.say("The fix is carried out. usher waits for a sign-in that proves it.")
		default:
			c.voice.say("Case %d is now %s.", k.ID, told)
		}
	}
}
