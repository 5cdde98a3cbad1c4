namespace Aries;

/// <summary>Turns text into token ids and back.</summary>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
internal interface ITextTokenizer
{
    /// <summary>Gets one more than the largest id.</summary>
    int VocabularySize { get; }

    /// <summary>Gets the id that this tokenizer puts before a text, or null where it puts none.</summary>
    int? BeginTokenId { get; }

    /// <summary>Gets whether encoding puts a space before a text that decoding takes off again, as SentencePiece does.</summary>
    bool HasLeadingSpace { get; }

    /// <summary>Returns the id of a token as the vocabulary spells it, or null where there is none.</summary>
    int? Id(string token);

    /// <summary>Returns the bytes of UTF-8 that a token stands for; none for a special token or an id outside the vocabulary.</summary>
    ReadOnlySpan<byte> Bytes(int id);

    /// <summary>Encodes a text, without a beginning token.</summary>
    /// <param name="text">The text.</param>
    /// <param name="allowSpecial">Whether special tokens are looked for in the text: only for text that no user and no model wrote.</param>
    /// <param name="isContinuation">Whether the text goes on where another ended, so that no leading space is put before it.</param>
    /// <exception cref="ArgumentException">The text holds a character that the vocabulary cannot spell.</exception>
    int[] Encode(string text, bool allowSpecial = false, bool isContinuation = false);

    /// <summary>Encodes the parts of a rendered prompt; texts that touch are encoded as one, whichever part they come from.</summary>
    /// <param name="segments">The parts.</param>
    /// <param name="isContinuation">Whether the first text goes on where another ended.</param>
    /// <exception cref="ArgumentException">A text holds a character that the vocabulary cannot spell.</exception>
    int[] Encode(IReadOnlyList<TextSegment> segments, bool isContinuation = false);

    /// <summary>Decodes ids; special tokens are left out, and bytes that make no character become U+FFFD.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="isContinuation">Whether the ids go on where other text ended, so that a leading space belongs to the text.</param>
    string Decode(ReadOnlySpan<int> ids, bool isContinuation = false);
}
