package main

// Calls with a token and a fresh proof for every attempt, section 8 of the page, over grpc-go.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	issueToken   = "/countersign.token.v1.TokenService/IssueToken"
	orderService = "/countersign.example.v1.OrderService/"

	// Longer than any call here takes on a busy machine.
	patience = 2 * time.Minute
)

// outcome is what a call came to: its messages and, if it failed, the code and the refusal.
type outcome struct {
	messages []proto.Message
	attempts int
	code     codes.Code
	refusal  *refusal
	// The metadata of the last attempt.
	sent []string
}

// failure is the code, the reason, and what accompanies it, on one line.
func (o outcome) failure() string {
	// The name as gRPC's specification spells it.
	words := []string{codeNames[o.code]}
	if o.refusal != nil {
		words = append(words, o.refusal.Reason)
		if o.refusal.OauthError != "" {
			words = append(words, o.refusal.OauthError)
		}
		words = append(words, o.refusal.Scopes...)
	}
	return strings.Join(words, " ")
}

var codeNames = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
	"NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
	"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// origin is one server: the nonces of one are nothing to another.
type origin struct {
	url       string
	contracts contracts
	prover    *prover
	token     func() (string, error) // nil at the token service
	conn      *grpc.ClientConn
	held      string
}

func newOrigin(url string, c contracts, p *prover, token func() (string, error)) (*origin, error) {
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// What retries must do so above what signs.
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig())
	return &origin{url: url, contracts: c, prover: p, token: token, conn: conn}, err
}

// call makes the call, and once more for each reason for which the server asks for that.
func (o *origin) call(path string, requests ...string) (outcome, error) {
	var messages []proto.Message
	for _, text := range requests {
		message, err := o.contracts.request(path, text)
		if err != nil {
			return outcome{}, err
		}
		messages = append(messages, message)
	}
	token := ""
	again := map[string]int{}
	for attempt := 1; ; attempt++ {
		var err error
		if o.token != nil && token == "" {
			if token, err = o.token(); err != nil {
				return outcome{}, err
			}
		}
		nonce := o.held
		proof, err := o.prover.prove(o.url, path, nonce, token)
		if err != nil {
			return outcome{}, err
		}
		sent := []string{"dpop", proof}
		if token != "" {
			sent = append(sent, "authorization", "DPoP "+token)
		}
		came, answer, sentBytes := o.attempt(path, messages, sent)
		came.attempts = attempt
		o.held = answer.newest(nonce)
		then := answer.then(1, sentBytes <= keptBytesMax, nonce, o.held)
		// For the same reason it is the second time.
		then = answer.then(1+again[then], sentBytes <= keptBytesMax, nonce, o.held)
		again[then]++
		switch then {
		case "finish":
			return came, nil
		case "send_again_with_another_token":
			if o.token == nil {
				return came, nil
			}
			token = ""
		}
	}
}

// attempt sends everything and reads to the end; also, how many bytes it sent.
func (o *origin) attempt(path string, messages []proto.Message, sent []string) (outcome, answer, int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, sent...)
	method := o.contracts[path]
	// A call of any kind is a stream; a unary one has one message each way.
	kind := &grpc.StreamDesc{ServerStreams: method.IsStreamingServer(), ClientStreams: method.IsStreamingClient()}
	stream, err := o.conn.NewStream(ctx, kind, path)
	if err != nil {
		return outcome{sent: sent, code: status.Code(err)}, answer{Code: status.Code(err)}, 0
	}
	sentBytes := 0
	for _, message := range messages {
		if stream.SendMsg(message) != nil {
			break // The end of the stream, read below, says why.
		}
		sentBytes += proto.Size(message)
	}
	_ = stream.CloseSend()
	came := outcome{sent: sent}
	for err == nil {
		message := dynamicpb.NewMessage(method.Output())
		if err = stream.RecvMsg(message); err == nil {
			came.messages = append(came.messages, message)
			if !method.IsStreamingServer() {
				break
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	// Nil where the status came without response headers.
	headers, _ := stream.Header()
	trailers := stream.Trailer()
	came.code = status.Code(err)
	came.refusal = readRefusal([]byte(strings.Join(trailers.Get("grpc-status-details-bin"), "")))
	nonces := trailers.Get("dpop-nonce")
	if headers != nil {
		nonces = headers.Get("dpop-nonce")
	}
	seen := answer{
		Code: came.code, HeadersFirst: headers != nil,
		WwwAuthenticate: trailers.Get("www-authenticate"), DpopNonce: nonces,
	}
	if came.refusal != nil {
		seen.Domain, seen.Reason = domain, came.refusal.Reason
	}
	return came, seen, sentBytes
}

// tokens asks the token service for tokens in the client's own name.
type tokens struct {
	origin   *origin
	clientID string
	secret   string
}

// ask makes one call of IssueToken.
func (t *tokens) ask(resource string, scopes ...string) (outcome, error) {
	request, err := json.Marshal(map[string]any{
		"client":             map[string]string{"client_id": t.clientID, "client_secret": t.secret},
		"client_credentials": struct{}{},
		"resources":          []string{resource},
		"scopes":             append([]string{}, scopes...),
	})
	if err != nil {
		return outcome{}, err
	}
	return t.origin.call(issueToken, string(request))
}

// issue returns an access token.
func (t *tokens) issue(resource string, scopes ...string) (string, error) {
	came, err := t.ask(resource, scopes...)
	switch {
	case err != nil:
		return "", err
	case came.code != codes.OK:
		return "", fmt.Errorf("no token: %s", came.failure())
	case !strings.EqualFold(text(came.messages[0], "token_type"), "DPoP"):
		return "", errors.New("a token of another type")
	}
	return text(came.messages[0], "access_token"), nil
}
