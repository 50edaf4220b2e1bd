"""How a face talks to the daemon; the fold from records to notebook outputs."""
