"""PDF files, written by hand."""

from __future__ import annotations

from base64 import b64encode


def pdf(*pages: str, size: tuple[int, int] = (200, 100), trailer: str = "") -> bytes:
    """A file with a page for each text; an empty one gives a page with nothing but a drawn square."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, text in enumerate(pages):
        drawn = f"BT /F1 18 Tf 10 50 Td ({text}) Tj ET" if text else "10 10 50 50 re f"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * index} 0 R >>"
        )
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    file = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(file)}\n%%EOF\n"
    return file + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()


def damaged(data: bytes, *pages: int) -> bytes:
    """A file of `pdf` some of whose pages lead to nothing, as where a download has a hole."""
    for page in pages:
        data = data.replace(b"\n%d 0 obj" % (2 + 2 * page), b"\n%d 0 lost" % (2 + 2 * page))
    return data


def locked_pdf() -> bytes:
    """A file that no known password opens."""
    secret = "00" * 32
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{secret}> /U <{secret}> /P -4 >> /ID [<00> <00>]"
    return pdf("secret", trailer=encrypt)


def pdf_url(data: bytes) -> str:
    return f"data:application/pdf;base64,{b64encode(data).decode()}"
