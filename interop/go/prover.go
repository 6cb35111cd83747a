package main

// Making proofs, section 2 of the page. go-jose signs.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// prover is a key of its own.
type prover struct{ signer jose.Signer }

func newProver() (*prover, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// The library puts the public half of the key into the header.
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	return &prover{signer}, err
}

// prove makes a fresh proof for one attempt of a call. Without a nonce or a token, they are empty.
func (p *prover) prove(origin, path, nonce, accessToken string) (string, error) {
	target, err := targetOf(origin, path)
	if err != nil {
		return "", err
	}
	jti := make([]byte, 16)
	if _, err := rand.Read(jti); err != nil {
		return "", err
	}
	claims := map[string]any{
		"jti": encodeBase64url(jti),
		"htm": "POST",
		"htu": target,
		"iat": time.Now().Unix(),
	}
	if accessToken != "" {
		claims["ath"] = athOf(accessToken)
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
