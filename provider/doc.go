// Package provider asks identity providers: discovery, keys, admin APIs; what each can do and how it departs from the standard.
//
// Admin is what the rooms above know of a provider's admin API. Folders below
// implement it, one a kind of provider.
package provider
