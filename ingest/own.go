package ingest

func (d *Decoder) own(b []byte) {}
