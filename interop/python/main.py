import sys
from pathlib import Path
import vectors
sys.exit(1 if vectors.run(Path(sys.argv[2])) else 0)
