"""What `twist` finds: the two subcommands, of which neither is loaded before it is used."""

from twisted.application.service import ServiceMaker

romeo = ServiceMaker("Techboy: Romeo", "techboy.romeo", "Wait for Juliet, and talk", "romeo")
juliet = ServiceMaker("Techboy: Juliet", "techboy.juliet", "Call Romeo until he answers, and talk", "juliet")
