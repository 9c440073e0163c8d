"""One real call on a private Asterisk, through the whole of Parley, judged by what the phones heard."""
