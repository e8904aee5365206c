package ingest

func (d *Decoder) entra(b []byte) {}
