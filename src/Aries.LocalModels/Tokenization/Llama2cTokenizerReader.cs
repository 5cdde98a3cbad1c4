using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Aries;

/// <summary>Reads the tokenizer file of llama2.c: <see href="https://github.com/karpathy/llama2.c"/>, <c>tokenizer.py export</c> and <c>run.c encode</c>.</summary>
/// <remarks>The longest piece's length, then for each id a score, a length and that many bytes of UTF-8. Neighbours whose bytes together are a piece merge, the best score first.</remarks>
internal static class Llama2cTokenizerReader
{
    private const string FixDamaged = "The file is damaged or not a llama2.c tokenizer: download or export it again.";
    private const int SpecialCount = 3;
    private const int ByteCount = 256;

    /// <summary>The first id that is neither a special token nor a byte.</summary>
    internal const int FirstPiece = SpecialCount + ByteCount;

    // Far above the longest piece of any such file; splitting a longer one in all ways would take too long.
    private const int MaximumPieceLength = 512;

    /// <summary>Reads a tokenizer.</summary>
    /// <exception cref="ModelFormatException">There is no such file, or it breaks a rule of the format.</exception>
    public static BytePairTokenizer Read(string path)
    {
        return File.Exists(path)
            ? Read(File.ReadAllBytes(path), path)
            : throw new ModelFormatException(path, "there is no such file.", "Put the model's tokenizer.bin beside it.");
    }

    /// <summary>Reads a tokenizer out of a file's bytes.</summary>
    public static BytePairTokenizer Read(ReadOnlySpan<byte> data, string path)
    {
        List<(float Score, byte[] Piece)> pieces = ReadPieces(data, path);

        // Pieces are compared as bytes: Latin-1 makes a text of them that loses none.
        Dictionary<string, int> byBytes = new(pieces.Count, StringComparer.Ordinal);
        Dictionary<string, int> points = new(StringComparer.Ordinal);
        Dictionary<string, int> ids = new(pieces.Count, StringComparer.Ordinal);
        for (int id = 0; id < pieces.Count; id++)
        {
            byte[] piece = pieces[id].Piece;
            if (id >= SpecialCount && byBytes.TryAdd(Encoding.Latin1.GetString(piece), id) && IsOneCodePoint(piece, out string point))
            {
                points[point] = id;
            }

            ids.TryAdd(Encoding.UTF8.GetString(piece), id);
        }

        // The first three pieces are spelled "\n<s>\n" and the like in some files; callers look for the usual names.
        string[] names = ["<unk>", "<s>", "</s>"];
        for (int id = 0; id < names.Length; id++)
        {
            ids[names[id]] = id;
        }

        if (!points.ContainsKey(" "))
        {
            throw new ModelFormatException(path, "there is no piece for a space.", FixDamaged);
        }

        int[] byteIds = [.. Enumerable.Range(SpecialCount, ByteCount)];
        return new BytePairTokenizer(
            [.. names.Select((name, id) => new AddedToken(id, name, IsSpecial: true))],
            [.. pieces.Select((piece, id) => BytesOf(piece.Piece, id))])
        {
            File = path,
            Ids = ids,
            Normalizers = [new PrependNormalizer(" ")],
            Splitters = [],
            Alphabet = new CodePointAlphabet(points, byteIds, unknownId: null, fusesUnknown: false),
            Merges = ReadMerges(pieces, byBytes),
            HasLeadingSpace = true,
            BeginTokenId = 1,
        };
    }

    /// <summary>Reads the pieces of a file, in the order of their ids.</summary>
    internal static List<(float Score, byte[] Piece)> ReadPieces(ReadOnlySpan<byte> data, string path)
    {
        if (data.Length < sizeof(int))
        {
            throw new ModelFormatException(path, $"the file has {data.Length} bytes, too few for a header.", FixDamaged);
        }

        List<(float Score, byte[] Piece)> pieces = [];
        int at = sizeof(int);
        while (at < data.Length)
        {
            if (data.Length - at < 2 * sizeof(int))
            {
                throw new ModelFormatException(path, $"the file ends inside the head of piece {pieces.Count}.", FixDamaged);
            }

            float score = BinaryPrimitives.ReadSingleLittleEndian(data[at..]);
            int length = BinaryPrimitives.ReadInt32LittleEndian(data[(at + sizeof(float))..]);
            at += 2 * sizeof(int);
            if (length < 0 || length > MaximumPieceLength || length > data.Length - at)
            {
                throw new ModelFormatException(
                    path, $"piece {pieces.Count} claims {length} bytes; {data.Length - at} are left, and {MaximumPieceLength} is the most that is read.", FixDamaged);
            }

            if (!float.IsFinite(score))
            {
                throw new ModelFormatException(path, $"piece {pieces.Count} has the score {score.ToString(CultureInfo.InvariantCulture)}.", FixDamaged);
            }

            pieces.Add((score, data.Slice(at, length).ToArray()));
            at += length;
        }

        return pieces.Count > SpecialCount + ByteCount
            ? pieces
            : throw new ModelFormatException(path, $"there are {pieces.Count} pieces, but three special ones, {ByteCount} bytes and more are needed.", FixDamaged);
    }

    private static MergeTable ReadMerges(List<(float Score, byte[] Piece)> pieces, Dictionary<string, int> byBytes)
    {
        // Equal scores make equal ranks: the leftmost pair goes first then, as in llama2.c.
        Dictionary<float, int> ranks = pieces.Select(piece => piece.Score).Distinct().OrderDescending().Select((score, rank) => (score, rank)).ToDictionary(pair => pair.score, pair => pair.rank);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = byBytes.GetAlternateLookup<ReadOnlySpan<char>>();
        MergeTable merges = new(pieces.Count);
        foreach ((string piece, int id) in byBytes)
        {
            for (int split = 1; split < piece.Length; split++)
            {
                if (lookup.TryGetValue(piece.AsSpan(0, split), out int left) && lookup.TryGetValue(piece.AsSpan(split), out int right))
                {
                    merges.Add(left, right, ranks[pieces[id].Score], id);
                }
            }
        }

        return merges;
    }

    private static bool IsOneCodePoint(byte[] piece, out string point)
    {
        point = "";
        if (Rune.DecodeFromUtf8(piece, out Rune rune, out int length) != System.Buffers.OperationStatus.Done || length != piece.Length)
        {
            return false;
        }

        point = rune.ToString();
        return true;
    }

    private static byte[] BytesOf(byte[] piece, int id) => id switch
    {
        < SpecialCount => [],
        < SpecialCount + ByteCount => [(byte)(id - SpecialCount)],
        _ => piece,
    };
}
