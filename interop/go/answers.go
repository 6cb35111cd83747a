package main

// What a client makes of an answer: sections 8 and 10 of the page.

import (
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const (
	domain       = "countersign"
	keptBytesMax = 64 * 1024
)

var (
	isNonce     = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`).MatchString
	isChallenge = regexp.MustCompile(`(?i)^dpop( |$)`).MatchString
)

// answer is what came back, as far as the decision needs it.
type answer struct {
	Code codes.Code `json:"code"`
	// Response headers, or a message, came before the status.
	HeadersFirst    bool     `json:"headers_first"`
	WwwAuthenticate []string `json:"www_authenticate"`
	DpopNonce       []string `json:"dpop_nonce"`
	Domain          string   `json:"domain"`
	Reason          string   `json:"reason"`
}

// newest is the nonce to use from now on.
func (a *answer) newest(held string) string {
	lookedAt := a.Code == codes.OK || !a.HeadersFirst
	if lookedAt && len(a.DpopNonce) == 1 && len(a.DpopNonce[0]) <= 1024 && isNonce(a.DpopNonce[0]) {
		return a.DpopNonce[0]
	}
	return held
}

// then is what to do: attempt is 2 if the call was sent again for this very reason, sent the
// attempt's nonce, held the newest one after the answer.
func (a *answer) then(attempt int, sentIsKept bool, sent, held string) string {
	asked := a.Code == codes.Unauthenticated && !a.HeadersFirst && a.Domain == domain &&
		len(a.WwwAuthenticate) > 0 && isChallenge(a.WwwAuthenticate[0])
	switch {
	case !asked || attempt > 1 || !sentIsKept:
		return "finish"
	case a.Reason == "REASON_DPOP_NONCE_REQUIRED" && held != sent:
		return "send_again"
	case a.Reason == "REASON_TOKEN_EXPIRED" || a.Reason == "REASON_TOKEN_REVOKED":
		return "send_again_with_another_token"
	}
	return "finish"
}

// refusal is what a refusal says.
type refusal struct {
	Reason           string      `json:"reason"`
	OauthError       string      `json:"oauth_error"`
	Scopes           []string    `json:"scopes"`
	AcrValues        []string    `json:"acr_values"`
	MaxAgeSecs       int64       `json:"max_age_secs"`
	RetryAfterMillis int64       `json:"retry_after_millis"`
	Fields           [][2]string `json:"fields"`
}

// readRefusal reads grpc-status-details-bin; nil where it is not Countersign's.
func readRefusal(details []byte) *refusal {
	status := new(statuspb.Status)
	if proto.Unmarshal(details, status) != nil {
		return nil
	}
	read := new(refusal)
	for _, packed := range status.GetDetails() {
		detail, err := packed.UnmarshalNew()
		if err != nil {
			continue
		}
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				read.Reason = detail.GetReason()
				read.OauthError = detail.GetMetadata()["oauth_error"]
				read.Scopes = strings.Fields(detail.GetMetadata()["scope"])
				read.AcrValues = strings.Fields(detail.GetMetadata()["acr_values"])
				// What is no number asks for nothing.
				read.MaxAgeSecs, _ = strconv.ParseInt(detail.GetMetadata()["max_age"], 10, 64)
			}
		case *errdetails.RetryInfo:
			read.RetryAfterMillis = detail.GetRetryDelay().AsDuration().Milliseconds()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				read.Fields = append(read.Fields, [2]string{violation.GetField(), violation.GetDescription()})
			}
		}
	}
	if read.Reason == "" {
		return nil
	}
	return read
}
