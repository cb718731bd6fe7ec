"""What an attacker would publish: texts that are a script wherever somebody takes them for HTML."""

MARKUP = "<img src=x onerror=alert(1)>"
BODY = f"</script><script>alert(2)</script>{MARKUP}<b>bold</b>"
HEADER = f"<svg onload=alert(3)>{MARKUP}"
