package probe

// PageText and VendorCodes are pageText and vendorCodes.
var (
	PageText    = pageText
	VendorCodes = vendorCodes
)
