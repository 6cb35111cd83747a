package main

// What a guard makes of a call's metadata: sections 1 and 9 of the page.

import (
	"strings"

	"google.golang.org/grpc/codes"
)

const tokenBytesMax = 8192

// presented is a guard's answer.
type presented struct {
	Code            codes.Code `json:"code"`
	Reason          string     `json:"reason"`
	OauthError      string     `json:"oauth_error"`
	WwwAuthenticate string     `json:"www_authenticate"`
}

// present answers a call in which TOKEN is a token of that kind and PROOF a good proof.
func present(metadata [][2]string, token string) presented {
	var authorization, proofs []string
	for _, pair := range metadata {
		switch pair[0] {
		case "authorization":
			authorization = append(authorization, pair[1])
		case "dpop":
			proofs = append(proofs, pair[1])
		}
	}
	missing := refuse(codes.Unauthenticated, "REASON_CREDENTIALS_MISSING", "")
	malformed := refuse(codes.InvalidArgument, "REASON_INVALID_REQUEST", "invalid_request")
	invalid := refuse(codes.Unauthenticated, "REASON_TOKEN_INVALID", "invalid_token")
	if len(authorization) == 0 {
		return missing
	}
	scheme, credentials, _ := strings.Cut(authorization[0], " ")
	credentials = strings.TrimLeft(credentials, " ")
	isBearer := strings.EqualFold(scheme, "bearer")
	switch {
	case len(authorization) > 1 || strings.Contains(authorization[0], ","):
		return malformed
	case !isBearer && !strings.EqualFold(scheme, "dpop"):
		return missing
	case credentials == "" || strings.Contains(credentials, " "):
		return malformed
	case len(credentials) > tokenBytesMax:
		return invalid
	case token == "expired":
		return refuse(codes.Unauthenticated, "REASON_TOKEN_EXPIRED", "invalid_token")
	case token == "unbound" || isBearer:
		return invalid
	case len(proofs) != 1 || proofs[0] != "PROOF":
		return refuse(codes.Unauthenticated, "REASON_DPOP_PROOF_INVALID", "invalid_dpop_proof")
	case token == "bound_to_another_key":
		return invalid
	}
	return presented{}
}

func refuse(code codes.Code, reason, oauthError string) presented {
	challenge := ""
	if code == codes.Unauthenticated {
		challenge = `DPoP algs="ES256 Ed25519"`
		if oauthError != "" {
			challenge = `DPoP error="` + oauthError + `", algs="ES256 Ed25519"`
		}
	}
	return presented{code, reason, oauthError, challenge}
}
