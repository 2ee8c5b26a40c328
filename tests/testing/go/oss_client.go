// Stores and reads an object with the official OSS library for Go, and prints the id of the key that signed.
//
// The credentials come from the credentials URI where the environment names one, else from the environment, as in the
// official Go client of credentials. The library of Debian (1.4) reads neither by itself.
package main

import (
	"encoding/json"
	"fmt"
	"io/ioutil"
	"net/http"
	"os"
	"strings"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

type credentials struct{ AccessKeyId, AccessKeySecret, SecurityToken, Expiration, Code string }

func find() (credentials, error) {
	uri := os.Getenv("ALIBABA_CLOUD_CREDENTIALS_URI")
	if uri == "" {
		return credentials{
			AccessKeyId:     os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
			AccessKeySecret: os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
			SecurityToken:   os.Getenv("ALIBABA_CLOUD_SECURITY_TOKEN"),
		}, nil
	}
	var found credentials
	answer, err := http.Get(uri)
	if err != nil {
		return found, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return found, fmt.Errorf("the credentials URI answered %d", answer.StatusCode)
	}
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found, err
}

func run() error {
	found, err := find()
	if err != nil {
		return err
	}
	client, err := oss.New(os.Getenv("OSS_ENDPOINT"), found.AccessKeyId, found.AccessKeySecret,
		oss.SecurityToken(found.SecurityToken))
	if err != nil {
		return err
	}
	bucket, err := client.Bucket("shop")
	if err != nil {
		return err
	}
	if err = bucket.PutObject("greeting", strings.NewReader("hello from Go")); err != nil {
		return err
	}
	body, err := bucket.GetObject("greeting")
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := ioutil.ReadAll(body)
	if err != nil {
		return err
	}
	fmt.Println(found.AccessKeyId, string(text))
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
