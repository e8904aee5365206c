package evidence

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// portalColumns are the columns of the sign-in log as Entra's portal exports
// it, with the members that they stand for.
var portalColumns = map[string]string{
	"date (utc)": "createdDateTime", "request id": "id", "user agent": "userAgent", "correlation id": "correlationId", "user id": "userId", "user": "userDisplayName",
	"username": "userPrincipalName", "user type": "userType", "cross tenant access type": "crossTenantAccessType", "incoming token type": "incomingTokenType",
	"authentication protocol": "authenticationProtocol", "original transfer method": "originalTransferMethod", "client credential type": "clientCredentialType",
	"application": "appDisplayName", "application id": "appId", "resource": "resourceDisplayName", "resource id": "resourceId", "resource tenant id": "resourceTenantId",
	"home tenant id": "homeTenantId", "ip address": "ipAddress", "ip address (seen by resource)": "ipAddressFromResourceProvider", "client app": "clientAppUsed",
	"conditional access": "conditionalAccessStatus", "authentication requirement": "authenticationRequirement", "token issuer type": "tokenIssuerType",
	"autonomous system number": "autonomousSystemNumber", "service principal id": "servicePrincipalId", "service principal name": "servicePrincipalName",
}

// portalParts are columns that belong into an object of the record.
var portalParts = map[string][2]string{
	"sign-in error code": {"status", "errorCode"}, "failure reason": {"status", "failureReason"},
	"device id": {"deviceDetail", "deviceId"}, "browser": {"deviceDetail", "browser"}, "operating system": {"deviceDetail", "operatingSystem"},
	"compliant": {"deviceDetail", "isCompliant"}, "managed": {"deviceDetail", "isManaged"}, "join type": {"deviceDetail", "trustType"},
}

func sniffCSV(p *piece) int {
	h := p.start()
	line, _, more := strings.Cut(h, "\n")
	if !more || strings.Count(line, ",") < 4 && strings.Count(line, ";") < 4 && strings.Count(line, "\t") < 4 {
		return 0
	}
	n := 0
	l := lowerASCII(line)
	for _, name := range [...]string{"request id", "correlation id", "correlationid", "failure reason", "sign-in error code", "resulttype", "userprincipalname", "application", "conditional access", "appdisplayname", "errornumber", "operation"} {
		if strings.Contains(l, name) {
			n++
		}
	}
	if n >= 3 {
		return 77
	}
	return 0
}

// readCSV reads a log that was exported as a table: from Entra's portal, or a
// query of Log Analytics.
func readCSV(r *reader, p *piece) bool {
	cr := csv.NewReader(strings.NewReader(p.text))
	cr.FieldsPerRecord, cr.LazyQuotes, cr.ReuseRecord = -1, true, true
	first, _, _ := strings.Cut(p.start(), "\n")
	if c := strings.Count(first, ";"); c > strings.Count(first, ",") {
		cr.Comma = ';'
	} else if strings.Count(first, "\t") > strings.Count(first, ",") {
		cr.Comma = '\t'
	}
	record, err := cr.Read()
	if err != nil {
		return false
	}
	names := append([]string(nil), record...)
	read := 0
	for rows := 0; ; rows++ {
		at := cr.InputOffset()
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if rows >= maxRecords {
			r.ignore(p.place(int(at)), "only the first rows of the table were read")
			break
		}
		if err != nil {
			r.ignore(p.place(int(at)), "a row of the table cannot be read")
			continue
		}
		start := int(at)
		for start < len(p.text) && p.text[start] == '\n' {
			start++
		}
		part := p.part(start, min(len(p.text), max(start, int(cr.InputOffset()))))
		part.fixed, part.base = true, p.off(start) // members have no offsets of their own
		if v := rowObject(names, record); r.record(v, &part) {
			read++
		}
	}
	return read > 0
}

// rowObject makes an object of a row, with the member names that records have.
func rowObject(names, row []string) *value {
	v := &value{kind: jsonObject}
	parts := map[string]*value{}
	var order []string
	for i := 0; i < len(row) && i < len(names) && i < 300; i++ {
		if row[i] == "" {
			continue
		}
		name := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(strings.Trim(names[i], "\ufeff\"")), "[UTC]"))
		member := value{kind: jsonString, text: row[i], key: strings.TrimSpace(name)}
		l := lowerASCII(member.key)
		if l == "status" && row[i][0] != '{' {
			continue // a word of the portal; the error code says it better
		}
		if in, ok := portalParts[l]; ok {
			member.key = in[1]
			if parts[in[0]] == nil {
				parts[in[0]] = &value{kind: jsonObject, key: in[0]}
				order = append(order, in[0])
			}
			parts[in[0]].kids = append(parts[in[0]].kids, member)
			continue
		}
		if known, ok := portalColumns[l]; ok {
			member.key = known
		}
		if l == "location" && strings.Contains(row[i], ",") { // "Lagos, Lagos, NG"
			fields := strings.Split(row[i], ",")
			member = value{kind: jsonObject, key: "location", kids: []value{
				{kind: jsonString, key: "city", text: strings.TrimSpace(fields[0])},
				{kind: jsonString, key: "countryOrRegion", text: strings.TrimSpace(fields[len(fields)-1])},
			}}
		}
		v.kids = append(v.kids, member)
	}
	for _, name := range order {
		v.kids = append(v.kids, *parts[name])
	}
	return v
}
