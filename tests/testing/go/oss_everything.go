// Does much of what the official OSS library for Go can, and prints what it got, one line of JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"os"
	"strings"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

const name = "a b/杭+州*~'().txt"

type given struct{ Scenario, Endpoint, Id, Secret, Token string }

func everything(client *oss.Client, bucket *oss.Bucket, done map[string]interface{}) error {
	if err := bucket.PutObject(name, strings.NewReader("hello"), oss.Meta("Uid", "1"), oss.ContentType("text/plain")); err != nil {
		return err
	}
	got, err := read(bucket, name)
	if err != nil {
		return err
	}
	done["got"] = got
	head, err := bucket.GetObjectDetailedMeta(name)
	if err != nil {
		return err
	}
	done["meta"] = head.Get("X-Oss-Meta-Uid")
	if _, err = bucket.CopyObject(name, "copy+of it.txt"); err != nil {
		return err
	}
	if _, err = bucket.AppendObject("log", strings.NewReader("1"), 0); err != nil {
		return err
	}
	file, err := ioutil.TempFile("", "oss")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(bytes.Repeat([]byte("x"), 250*1024)); err != nil {
		return err
	}
	file.Close()
	if err = bucket.UploadFile("big", file.Name(), 100*1024, oss.Routines(3)); err != nil {
		return err
	}
	big, err := read(bucket, "big")
	if err != nil {
		return err
	}
	done["parts"] = len(big)
	if err = bucket.PutSymlink("link", "log"); err != nil {
		return err
	}
	link, err := bucket.GetSymlink("link")
	if err != nil {
		return err
	}
	done["link"] = link.Get("X-Oss-Symlink-Target")
	acl, err := client.GetBucketACL("data")
	if err != nil {
		return err
	}
	done["acl"] = acl.ACL
	listed, err := bucket.ListObjects(oss.Prefix(""), oss.MaxKeys(10))
	if err != nil {
		return err
	}
	names := []string{}
	for _, one := range listed.Objects {
		names = append(names, one.Key)
	}
	done["listed"] = names
	if err = bucket.SetObjectMeta(name, oss.Meta("Uid", "2")); err != nil {
		return err
	}
	if err = bucket.CopyFile("data", "big", "copied", 100*1024, oss.Routines(2)); err != nil {
		return err
	}
	copied, err := read(bucket, "copied")
	if err != nil {
		return err
	}
	done["copied"] = len(copied)
	deleted, err := bucket.DeleteObjects([]string{"log", "link", name, "copy+of it.txt"})
	if err != nil {
		return err
	}
	done["deleted"] = len(deleted.DeletedObjects)
	return nil
}

func refusable(bucket *oss.Bucket, done map[string]interface{}) {
	_, err := read(bucket, "logs/1")
	done["get"] = outcome(err)
	done["put"] = outcome(bucket.PutObject("logs/2", strings.NewReader("x")))
	_, err = bucket.ListObjects(oss.Prefix("logs/"))
	done["list"] = outcome(err)
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	if refused, ok := err.(oss.ServiceError); ok {
		return fmt.Sprintf("%d %s", refused.StatusCode, refused.Code)
	}
	return err.Error()
}

func read(bucket *oss.Bucket, name string) (string, error) {
	body, err := bucket.GetObject(name)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := ioutil.ReadAll(body)
	return string(text), err
}

func run() error {
	var with given
	if err := json.Unmarshal([]byte(os.Args[1]), &with); err != nil {
		return err
	}
	client, err := oss.New(with.Endpoint, with.Id, with.Secret, oss.SecurityToken(with.Token))
	if err != nil {
		return err
	}
	bucket, err := client.Bucket("data")
	if err != nil {
		return err
	}
	done := map[string]interface{}{}
	if with.Scenario == "everything" {
		err = everything(client, bucket, done)
	} else {
		refusable(bucket, done)
	}
	if err != nil {
		return err
	}
	printed, err := json.Marshal(done)
	fmt.Println(string(printed))
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
