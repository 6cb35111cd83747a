package main

// Runs the published vectors: as a verifier, as a prover, as a client.

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
)

type document struct {
	Now           int64           `json:"now"`
	Origins       []string        `json:"origins"`
	Limits        limits          `json:"limits"`
	Nonces        nonceTerms      `json:"nonces"`
	Vectors       json.RawMessage `json:"vectors"`
	Targets       json.RawMessage `json:"targets"`
	OriginURIs    json.RawMessage `json:"origin_uris"`
	Paths         json.RawMessage `json:"paths"`
	Minted        json.RawMessage `json:"minted"`
	Proofs        json.RawMessage `json:"proofs"`
	Presentations json.RawMessage `json:"presentations"`
	Answers       json.RawMessage `json:"answers"`
	Errors        json.RawMessage `json:"errors"`
}

// runVectors runs all, prints what came of it, and fails unless all passed.
func runVectors(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all document
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	known := []string{"about"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[document]()) {
		known = append(known, field.Tag.Get("json"))
	}
	failed := 0
	for name := range members {
		if !slices.Contains(known, name) {
			failed++
			fmt.Println("FAILED: a section that is not known:", name)
		}
	}
	failed += section("vectors", all.Vectors, all.verify)
	failed += section("targets", all.Targets, target)
	failed += section("origin_uris", all.OriginURIs, originURI)
	failed += section("paths", all.Paths, path)
	failed += section("minted", all.Minted, all.minted)
	failed += section("proofs", all.Proofs, proof)
	failed += section("presentations", all.Presentations, presentation)
	failed += section("answers", all.Answers, answered)
	failed += section("errors", all.Errors, refusedWith)
	if failed > 0 {
		return fmt.Errorf("%d failed", failed)
	}
	return nil
}

// section runs one table: check returns what came, and what was wanted.
func section[Row any](name string, table json.RawMessage, check func(Row) (got, wanted any)) int {
	var rows []Row
	failed := 0
	if err := json.Unmarshal(table, &rows); err != nil {
		fmt.Printf("FAILED %s: %v\n", name, err)
		failed++
	}
	for _, row := range rows {
		if got, wanted := check(row); !reflect.DeepEqual(got, wanted) {
			failed++
			fmt.Printf("FAILED %s: %+v: got %+v, wanted %+v\n", name, row, got, wanted)
		}
	}
	fmt.Printf("%s: %d run, %d passed, 0 not applicable\n", name, len(rows), len(rows)-failed)
	return failed
}

type vector struct {
	Name            string  `json:"name"`
	Method          string  `json:"method"`
	Path            string  `json:"path"`
	Proof           string  `json:"proof"`
	AccessToken     *string `json:"access_token"`
	Limits          *limits `json:"limits"`
	NonceRule       string  `json:"nonce_rule"`
	NonceMintedFrom *int64  `json:"nonce_minted_from"`
	Outcome         struct {
		accepted
		Error  string `json:"error"`
		Reason string `json:"reason"`
	} `json:"outcome"`
}

func (all document) verify(row vector) (got, wanted any) {
	v := verifier{all.Now, all.Origins, all.Limits, all.Nonces, row.NonceRule, row.NonceMintedFrom}
	if row.Limits != nil {
		v.limits = *row.Limits
	}
	outcome, err := v.check(row.Method, row.Path, row.Proof, row.AccessToken)
	if err != nil {
		message := "invalid_dpop_proof"
		if slices.Contains(challenges, err.Error()) {
			message = "use_dpop_nonce"
		}
		return [2]string{message, err.Error()}, [2]string{row.Outcome.Error, row.Outcome.Reason}
	}
	if row.Outcome.Error != "" {
		return *outcome, row.Outcome
	}
	return *outcome, row.Outcome.accepted
}

type targetRow struct {
	Htu    string  `json:"htu"`
	URI    string  `json:"uri"`
	Path   string  `json:"path"`
	Target *string `json:"target"`
	Origin *string `json:"origin"`
}

func target(row targetRow) (got, wanted any) { return orNil(normalTarget(row.Htu)), row.Target }

func originURI(row targetRow) (got, wanted any) { return orNil(originOf(row.URI)), row.Origin }

func path(row targetRow) (got, wanted any) { return orNil(targetOf(*row.Origin, row.Path)), row.Target }

func orNil(text string, err error) *string {
	if err != nil {
		return nil
	}
	return &text
}

type mintedRow struct {
	MintedMillis int64  `json:"minted_millis"`
	Nonce        string `json:"nonce"`
}

func (all document) minted(row mintedRow) (got, wanted any) {
	v := verifier{nonces: all.Nonces}
	nonce, err := v.mint(row.MintedMillis)
	return [2]any{nonce, err}, [2]any{row.Nonce, error(nil)}
}

type proofRow struct {
	Name        string         `json:"name"`
	Method      string         `json:"method"`
	Origin      string         `json:"origin"`
	Path        string         `json:"path"`
	AccessToken *string        `json:"access_token"`
	Nonce       string         `json:"nonce"`
	Claims      map[string]any `json:"claims"`
}

// proof makes two proofs, reads them strictly and verifies them.
func proof(row proofRow) (got, wanted any) {
	p, err := newProver()
	if err != nil {
		return err, row.Claims
	}
	token := ""
	if row.AccessToken != nil {
		token = *row.AccessToken
	}
	jtis := map[any]bool{}
	var claims map[string]any
	for range 2 {
		text, err := p.prove(row.Origin, row.Path, row.Nonce, token)
		if err != nil {
			return map[string]any(nil), row.Claims
		}
		jws, err := parseJws(text)
		if err != nil {
			return err, row.Claims
		}
		claims = jws.payload
		iat, err := claims["iat"].(json.Number).Int64()
		if err != nil {
			return err, row.Claims
		}
		// As a verifier that lives at the origin, now.
		v := verifier{now: iat, origins: []string{row.Origin}, nonceRule: "off",
			limits: limits{Age: 60, Skew: 10, Algorithms: []string{"ES256"}}}
		if _, err := v.check(row.Method, row.Path, text, row.AccessToken); err != nil {
			return err, row.Claims
		}
		// 96 random bits are 16 characters of base64url.
		jtis[claims["jti"]] = len(claims["jti"].(string)) >= 16
		delete(claims, "jti")
		delete(claims, "iat")
	}
	if len(jtis) != 2 {
		return jtis, row.Claims
	}
	return claims, row.Claims
}

type presentationRow struct {
	Name     string      `json:"name"`
	Metadata [][2]string `json:"metadata"`
	Token    string      `json:"token"`
	Outcome  presented   `json:"outcome"`
}

func presentation(row presentationRow) (got, wanted any) {
	return present(row.Metadata, row.Token), row.Outcome
}

type answerRow struct {
	Name string `json:"name"`
	answer
	Attempt    int    `json:"attempt"`
	SentIsKept bool   `json:"sent_is_kept"`
	Held       string `json:"held"`
	Then       string `json:"then"`
	HeldAfter  string `json:"held_after"`
}

func answered(row answerRow) (got, wanted any) {
	held := row.newest(row.Held)
	then := row.then(row.Attempt, row.SentIsKept, row.Held, held)
	return [2]string{then, held}, [2]string{row.Then, row.HeldAfter}
}

type errorRow struct {
	Name    string `json:"name"`
	Details string `json:"details"`
	refusal
}

func refusedWith(row errorRow) (got, wanted any) {
	details, err := decodeBase64url(row.Details)
	if err != nil {
		return err, nil
	}
	read := readRefusal(details)
	if read == nil {
		read = new(refusal)
	}
	// Absent and empty say the same.
	for _, list := range []*[]string{&row.Scopes, &row.AcrValues, &read.Scopes, &read.AcrValues} {
		if *list == nil {
			*list = []string{}
		}
	}
	return *read, row.refusal
}
