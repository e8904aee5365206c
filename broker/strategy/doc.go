// Package strategy says what is done about each cause of a refused token.
package strategy
