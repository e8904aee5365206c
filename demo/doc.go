// Package demo is a small company in a box: users, apps, policies, traffic and
// three stories.
//
// A story is played by real parts: the lab is the company's identity provider,
// serve is usher, and a shop signs people in with a real client library, all
// in one process on loopback. Nothing is pretended but the people.
package demo
