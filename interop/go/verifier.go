package main

// A verifier of proofs: sections 3, 5, 6 and 7 of the page.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

const (
	aheadSecsMax = 60
	iatMax       = 1<<53 - 1
)

var challenges = []string{"nonce_missing", "nonce_unknown", "nonce_stale", "nonce_before_start", "nonce_needed"}

type limits struct {
	Age        int64    `json:"age"`
	Skew       int64    `json:"skew"`
	Algorithms []string `json:"algorithms"`
}

type nonceTerms struct {
	Key           string `json:"key"`
	Step          int64  `json:"step"`
	StepsAccepted int64  `json:"steps_accepted"`
}

// verifier is what a verifier is configured with, and its clock.
type verifier struct {
	now             int64
	origins         []string
	limits          limits
	nonces          nonceTerms
	nonceRule       string
	nonceMintedFrom *int64
}

// accepted is the outcome of a proof that passed.
type accepted struct {
	Jkt           string `json:"jkt"`
	Nonce         string `json:"nonce"`
	Origin        int    `json:"origin"`
	RememberUntil int64  `json:"remember_until"`
	Spent         string `json:"spent"`
}

// check makes all checks, in the order in which the page says that the vectors name reasons.
func (v *verifier) check(method, path, proof string, accessToken *string) (*accepted, error) {
	jws, err := parseJws(proof)
	if err != nil {
		return nil, err
	}
	if jws.header["typ"] != "dpop+jwt" {
		return nil, refused("wrong_type")
	}
	algorithm, err := v.algorithm(jws.header)
	if err != nil {
		return nil, err
	}
	key, err := publicKey(jws.header, algorithm)
	if err != nil {
		return nil, err
	}
	claims, err := readClaims(jws.payload)
	if err != nil {
		return nil, err
	}
	if claims.htm != method {
		return nil, refused("wrong_method")
	}
	origin, target, err := v.target(claims.htu, path)
	if err != nil {
		return nil, err
	}
	standing, nonceEnd, err := v.nonce(claims.nonce)
	if err != nil {
		return nil, err
	}
	rememberUntil, err := v.recent(claims.iat, nonceEnd)
	if err != nil {
		return nil, err
	}
	if accessToken != nil {
		switch claimed, has := jws.payload["ath"]; {
		case !has:
			return nil, refused("ath_missing")
		case claimed != athOf(*accessToken):
			return nil, refused("ath_mismatch")
		}
	}
	if err := checkSignature(jws, key, algorithm); err != nil {
		return nil, err
	}
	jkt, err := thumbprint(key)
	if err != nil {
		return nil, err
	}
	return &accepted{encodeBase64url(jkt), standing, origin, rememberUntil,
		encodeBase64url(spent(jkt, target, claims.jti))}, nil
}

// mint makes a nonce of that time.
func (v *verifier) mint(mintedMillis int64) (string, error) {
	minted := binary.BigEndian.AppendUint64(nil, uint64(mintedMillis))
	tag, err := v.tag(minted)
	return encodeBase64url(append(minted, tag...)), err
}

func (v *verifier) tag(minted []byte) ([]byte, error) {
	key, err := decodeBase64url(v.nonces.Key)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("countersign dpop nonce 1"))
	mac.Write(minted)
	return mac.Sum(nil)[:16], err
}

func (v *verifier) algorithm(header map[string]any) (string, error) {
	algorithm, ok := header["alg"].(string)
	if !ok {
		return "", refused("algorithm_missing")
	}
	name := algorithm
	if name == "EdDSA" {
		name = "Ed25519"
	}
	if _, known := algorithms[algorithm]; !known || !slices.Contains(v.limits.Algorithms, name) {
		return "", refused("algorithm_not_allowed")
	}
	return algorithm, nil
}

func (v *verifier) target(htu, path string) (int, string, error) {
	claimed, malformed := normalTarget(htu)
	for at, origin := range v.origins {
		target, err := targetOf(origin, path)
		if err != nil {
			return 0, "", refused("path_not_plain")
		}
		if malformed == nil && target == claimed {
			return at, target, nil
		}
	}
	if malformed != nil {
		return 0, "", refused("htu_malformed")
	}
	return 0, "", refused("wrong_target")
}

// nonce is the standing of a nonce, and when it ends; zero for none.
func (v *verifier) nonce(nonce *string) (string, int64, error) {
	if v.nonceRule == "off" || nonce == nil && v.nonceRule != "required" {
		return "absent", 0, nil
	}
	if nonce == nil {
		return "", 0, refused("nonce_missing")
	}
	made, err := decodeBase64url(*nonce)
	if err != nil || len(made) != 24 {
		return "", 0, refused("nonce_unknown")
	}
	if tag, err := v.tag(made[:8]); err != nil || !hmac.Equal(tag, made[8:]) {
		return "", 0, refused("nonce_unknown")
	}
	minted, step := int64(binary.BigEndian.Uint64(made)), v.nonces.Step*1000
	endStep := minted/step + v.nonces.StepsAccepted
	stepsLeft := endStep - v.now*1000/step
	switch {
	case minted < 0 || minted > (v.now+aheadSecsMax)*1000 || stepsLeft <= 0:
		return "", 0, refused("nonce_stale")
	case v.nonceMintedFrom != nil && minted < *v.nonceMintedFrom*1000:
		return "", 0, refused("nonce_before_start")
	case stepsLeft == 1:
		return "expiring", endStep * v.nonces.Step, nil
	}
	return "fresh", endStep * v.nonces.Step, nil
}

// recent is until when the proof is to be remembered.
func (v *verifier) recent(iat, nonceEnd int64) (int64, error) {
	skew := min(v.limits.Skew, 60)
	tooOld, inFuture := iat+v.limits.Age < v.now, iat > v.now+skew
	windowEnd := iat + v.limits.Age + max(skew, 1)
	switch {
	case nonceEnd != 0 && (tooOld || inFuture):
		return nonceEnd, nil
	case nonceEnd != 0:
		return max(nonceEnd, windowEnd), nil
	case !tooOld && !inFuture:
		return windowEnd, nil
	case iat > v.now+60:
		return 0, refused("in_future")
	case v.nonceRule != "off":
		return 0, refused("nonce_needed")
	case inFuture:
		return 0, refused("in_future")
	}
	return 0, refused("too_old")
}

type claims struct {
	jti, htm, htu string
	iat           int64
	nonce         *string
}

func readClaims(payload map[string]any) (claims, error) {
	var read claims
	for name, into := range map[string]*string{"jti": &read.jti, "htm": &read.htm, "htu": &read.htu} {
		claim, has := payload[name]
		text, ok := claim.(string)
		if !has {
			return read, refused(name + "_missing")
		}
		if !ok || name == "jti" && (text == "" || len(text) > 128) {
			return read, refused(name + "_malformed")
		}
		*into = text
	}
	iat, has := payload["iat"]
	if !has {
		return read, refused("iat_missing")
	}
	number, _ := iat.(json.Number)
	secs, err := strconv.ParseFloat(string(number), 64)
	if err != nil || secs < 0 || secs > iatMax {
		return read, refused("iat_malformed")
	}
	read.iat = int64(math.Floor(secs))
	if nonce, has := payload["nonce"]; has {
		text, ok := nonce.(string)
		if !ok {
			return read, refused("nonce_malformed")
		}
		read.nonce = &text
	}
	return read, nil
}

// athOf is the claim that binds a proof to a token.
func athOf(accessToken string) string {
	digest := sha256.Sum256([]byte(accessToken))
	return encodeBase64url(digest[:])
}

// spent is a proof's identity, section 7.
func spent(jkt []byte, target, jti string) []byte {
	hash := sha256.New()
	for _, part := range [][]byte{jkt, []byte(target), []byte(jti)} {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write(part)
	}
	return hash.Sum(nil)
}
