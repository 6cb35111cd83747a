package main

// Calls a token service and a guarded service, and prints what each call came to.

import (
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// settings are the command line's.
type settings struct {
	proto, tokenService, client, secret          string
	orders, resource, briefOrders, briefResource string
}

// runCalls makes all calls, one line each.
func runCalls(s settings) error {
	c, err := compile(s.proto)
	if err != nil {
		return err
	}
	p, err := newProver()
	if err != nil {
		return err
	}
	tokenService, err := newOrigin(s.tokenService, c, p, nil)
	if err != nil {
		return err
	}
	own := &tokens{tokenService, s.client, s.secret}
	issued, err := own.ask(s.resource)
	if err != nil {
		return err
	}
	if issued.code != codes.OK {
		return fmt.Errorf("no token: %s", issued.failure())
	}
	say("a token", issued, text(issued.messages[0], "token_type"))
	token := func() (string, error) { return text(issued.messages[0], "access_token"), nil }
	orders, err := newOrigin(s.orders, c, p, token)
	if err != nil {
		return err
	}

	steps := []func() error{
		func() error {
			return orders.tell("unary", "CreateOrder", func(messages []proto.Message) string {
				return text(messages[0], "order", "item")
			}, `{"item": "tea"}`)
		},
		func() error {
			return orders.tell("unary, with the nonce kept", "CreateOrder", nothing, `{"item": "tea"}`)
		},
		func() error { return orders.tell("server stream", "WatchOrders", count, `{}`) },
		func() error {
			return orders.tell("client stream", "ImportOrders", func(messages []proto.Message) string {
				return text(messages[0], "count") + " messages"
			}, `{"item": "tea"}`, `{"item": "milk"}`, `{"item": "rice"}`)
		},
		func() error {
			// Another origin object knows no nonce yet: the conversation itself is challenged.
			fresh, err := newOrigin(s.orders, c, p, token)
			if err != nil {
				return err
			}
			return fresh.tell("conversation, without a nonce kept", "ExchangeOrders", items,
				`{"item": "tea"}`, `{"item": "milk"}`)
		},
		func() error { return misuse(orders) },
		func() error {
			narrow, err := newOrigin(s.orders, c, p, sync.OnceValues(func() (string, error) {
				return own.issue(s.resource, "orders.read")
			}))
			if err != nil {
				return err
			}
			return narrow.tell("a scope too few", "CreateOrder", nothing, `{"item": "tea"}`)
		},
		func() error { return orders.tell("a method without a rule", "PurgeOrders", nothing, `{}`) },
		func() error {
			return orders.tell("a challenge that a handler passes on", "GetOrder", nothing, `{"order_id": "pass-on"}`)
		},
		func() error { return outlived(s, c, p, own) },
		func() error {
			refused, err := (&tokens{tokenService, s.client, "not the secret"}).ask(s.resource)
			say("a wrong client secret", refused, "")
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// misuse presents what must be refused.
func misuse(orders *origin) error {
	create := orderService + "CreateOrder"
	tea, err := orders.contracts.request(create, `{"item": "tea"}`)
	if err != nil {
		return err
	}
	token, err := orders.token()
	if err != nil {
		return err
	}
	once, err := orders.call(create, `{"item": "tea"}`)
	if err != nil {
		return err
	}
	elsewhere, err := orders.prover.prove(orders.url, orderService+"GetOrder", orders.held, token)
	if err != nil {
		return err
	}
	here, err := orders.prover.prove(orders.url, create, orders.held, token)
	if err != nil {
		return err
	}
	for _, attempt := range []struct {
		what string
		sent []string
	}{
		{"a proof used before", once.sent},
		{"a proof for another method", []string{"authorization", "DPoP " + token, "dpop", elsewhere}},
		{"no credentials", nil},
		{"a bound token as Bearer", []string{"authorization", "Bearer " + token, "dpop", here}},
	} {
		came, _, _ := orders.attempt(create, []proto.Message{tea}, attempt.sent)
		came.attempts = 1
		say(attempt.what, came, "")
	}
	return nil
}

// outlived opens a stream that ends with its token, and makes a call with what is left of that.
func outlived(s settings, c contracts, p *prover, own *tokens) error {
	if s.briefOrders == "" {
		return nil
	}
	var given []string
	brief, err := newOrigin(s.briefOrders, c, p, func() (string, error) {
		// The second call has the first one's token; another only once the guard asks for it.
		if len(given) == 1 {
			given = append(given, given[0])
			return given[0], nil
		}
		token, err := own.issue(s.briefResource)
		given = append(given, token)
		return token, err
	})
	if err != nil {
		return err
	}
	if err := brief.tell("a stream that outlives its token", "WatchOrders", count, `{}`); err != nil {
		return err
	}
	if err := brief.tell("a token that has expired, replaced", "GetOrder", items, `{"order_id": "tea"}`); err != nil {
		return err
	}
	// Another origin object knows no nonce yet: two things are asked for, one after the other.
	expired := given[0]
	fresh, err := newOrigin(s.briefOrders, c, p, func() (string, error) {
		if token := expired; token != "" {
			expired = ""
			return token, nil
		}
		return own.issue(s.briefResource)
	})
	if err != nil {
		return err
	}
	return fresh.tell("a token that has expired, without a nonce kept", "GetOrder", items, `{"order_id": "tea"}`)
}

// tell makes a call of the order service and prints what it came to.
func (o *origin) tell(what, method string, came func([]proto.Message) string, requests ...string) error {
	outcome, err := o.call(orderService+method, requests...)
	if err != nil {
		return err
	}
	words := ""
	if outcome.code == codes.OK || len(outcome.messages) > 0 {
		words = came(outcome.messages)
	}
	say(what, outcome, words)
	return nil
}

func nothing([]proto.Message) string { return "" }

func count(messages []proto.Message) string { return fmt.Sprintf("%d messages", len(messages)) }

func items(messages []proto.Message) string {
	var words []string
	for _, message := range messages {
		words = append(words, text(message, "order", "item"))
	}
	return strings.Join(words, " ")
}

// say prints what was tried, what came of it, and in how many attempts.
func say(what string, came outcome, words string) {
	var told []string
	if words != "" {
		told = append(told, words)
	}
	if came.code != codes.OK {
		told = append(told, came.failure())
	}
	told = append(told, fmt.Sprintf("attempts %d", came.attempts))
	fmt.Printf("%s: %s\n", what, strings.Join(told, ", "))
}
