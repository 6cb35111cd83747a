package main

// Keys and signatures, section 2 of the page. The signatures are go-jose's.

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// What fits an algorithm.
var algorithms = map[string]struct{ kty, crv string }{
	"ES256":   {"EC", "P-256"},
	"ES384":   {"EC", "P-384"},
	"EdDSA":   {"OKP", "Ed25519"},
	"Ed25519": {"OKP", "Ed25519"},
	"PS256":   {"RSA", ""},
	"RS256":   {"RSA", ""},
}

var (
	curves     = map[string]ecdh.Curve{"P-256": ecdh.P256(), "P-384": ecdh.P384()}
	fieldBytes = map[string]int{"P-256": 32, "P-384": 48}
	private    = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
	errKey     = errors.New("the key is malformed")
)

// publicKey is the header's jwk, if it is a public key that fits the algorithm.
func publicKey(header map[string]any, algorithm string) (*jose.JSONWebKey, error) {
	member, has := header["jwk"]
	if !has {
		return nil, refused("key_missing")
	}
	jwk, ok := member.(map[string]any)
	if !ok {
		return nil, refused("key_malformed")
	}
	for _, name := range private {
		if _, has := jwk[name]; has {
			return nil, refused("private_key")
		}
	}
	if err := checkKey(jwk); err != nil {
		return nil, refused("key_malformed")
	}
	fits := algorithms[algorithm]
	if jwk["kty"] != fits.kty || fits.crv != "" && jwk["crv"] != fits.crv || !isForThis(jwk, algorithm) {
		return nil, refused("key_mismatch")
	}
	bare := map[string]any{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if value, has := jwk[name]; has {
			bare[name] = value
		}
	}
	text, err := json.Marshal(bare)
	if err != nil {
		return nil, err
	}
	key := new(jose.JSONWebKey)
	if err := key.UnmarshalJSON(text); err != nil {
		return nil, refused("key_malformed")
	}
	return key, nil
}

func thumbprint(key *jose.JSONWebKey) ([]byte, error) { return key.Thumbprint(crypto.SHA256) }

// checkSignature verifies, or refuses with bad_signature.
func checkSignature(proof *jws, key *jose.JSONWebKey, algorithm string) error {
	parsed, err := jose.ParseSigned(proof.text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		return refused("bad_signature")
	}
	var verifier any = key
	if public, ok := key.Key.(ed25519.PublicKey); ok {
		// The library knows the algorithm by its older name alone.
		verifier = edwards(public)
	}
	if _, err := parsed.Verify(verifier); err != nil {
		return refused("bad_signature")
	}
	return nil
}

type edwards ed25519.PublicKey

func (key edwards) VerifyPayload(payload, signature []byte, _ jose.SignatureAlgorithm) error {
	if !ed25519.Verify(ed25519.PublicKey(key), payload, signature) {
		return errors.New("the signature does not verify")
	}
	return nil
}

func isForThis(jwk map[string]any, algorithm string) bool {
	names := []any{algorithm}
	if algorithms[algorithm].kty == "OKP" {
		names = []any{"EdDSA", "Ed25519"}
	}
	if alg, has := jwk["alg"]; has && !slices.Contains(names, alg) {
		return false
	}
	if use, has := jwk["use"]; has && use != "sig" {
		return false
	}
	operations, has := jwk["key_ops"]
	list, _ := operations.([]any)
	return !has || len(list) == 1 && list[0] == "verify"
}

func checkKey(jwk map[string]any) error {
	if kid, has := jwk["kid"]; has && !isText(kid) {
		return errKey
	}
	component := func(name string) []byte {
		text, ok := jwk[name].(string)
		decoded, err := decodeBase64url(text)
		if !ok || err != nil {
			return nil
		}
		return decoded
	}
	crv, _ := jwk["crv"].(string)
	switch jwk["kty"] {
	case "EC":
		size, x, y := fieldBytes[crv], component("x"), component("y")
		if size == 0 || len(x) != size || len(y) != size {
			return errKey
		}
		// Refuses a point that is not on the curve.
		_, err := curves[crv].NewPublicKey(slices.Concat([]byte{4}, x, y))
		return err
	case "OKP":
		if crv != "Ed25519" {
			return errKey
		}
		return checkEdwardsPoint(component("x"))
	case "RSA":
		n, e := component("n"), component("e")
		if len(n) == 0 || len(e) == 0 || len(e) > 4 || n[0] == 0 || e[0] == 0 {
			return errKey
		}
		modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
		bits := modulus.BitLen()
		if bits < 2048 || bits > 4096 || modulus.Bit(0) == 0 || exponent.Bit(0) == 0 || exponent.Cmp(big.NewInt(3)) < 0 {
			return errKey
		}
		return nil
	}
	return errKey
}

// checkEdwardsPoint wants the canonical encoding of a point (RFC 8032, section 5.1.3). That its
// order is not small is checked by the library when it reads the key.
func checkEdwardsPoint(encoded []byte) error {
	if len(encoded) != 32 {
		return errKey
	}
	bigEndian := bytes.Clone(encoded)
	slices.Reverse(bigEndian)
	sign := bigEndian[0] >> 7
	bigEndian[0] &= 0x7f
	one := big.NewInt(1)
	field := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	y := new(big.Int).SetBytes(bigEndian)
	if y.Cmp(field) >= 0 {
		return errKey
	}
	d := new(big.Int).ModInverse(big.NewInt(121666), field)
	d.Mul(d, big.NewInt(-121665)).Mod(d, field)
	y2 := new(big.Int).Mul(y, y)
	denominator := new(big.Int).Add(d.Mul(d, y2), one)
	square := denominator.ModInverse(denominator.Mod(denominator, field), field)
	square.Mul(square, y2.Sub(y2, one)).Mod(square, field)
	x := new(big.Int).ModSqrt(square, field)
	if x == nil || x.Sign() == 0 && sign == 1 {
		return errKey
	}
	return nil
}
