"""XML from outside, parsed without document types and entities, as a few lines of those can fill the memory."""

from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from spectralgpt.errors import RasterError


def parse_xml(content: str | bytes, source: str) -> Element:
    """The root element. source: the file, for messages. The caller limits the size.

    Raises RasterError for a document type declaration, which no product needs, and for what is not XML.
    """
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise RasterError(
            f"{source}: found XML with a DOCTYPE or entities", "plain XML", "Download it again from its provider"
        ) from None
    except (ParseError, LookupError, ValueError) as error:
        raise RasterError(f"{source}: is not valid XML ({error})", do="Download it again") from None
    return root
