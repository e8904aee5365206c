// Package grant speaks to token endpoints: requests, answers, refusals.
package grant
