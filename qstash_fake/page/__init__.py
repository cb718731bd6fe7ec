"""The timeline page: draws a picture of a fake in a browser, live or saved. Knows files and HTML, no fake."""
