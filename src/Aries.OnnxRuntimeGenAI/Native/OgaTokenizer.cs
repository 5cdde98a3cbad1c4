using System.Text;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>The native tokenizer of a model: the one that its makers tested the folder with.</summary>
/// <threadsafety>One call at a time.</threadsafety>
internal sealed unsafe class OgaTokenizer : IDisposable
{
    private readonly OgaApi _api;
    private readonly OgaHandle _tokenizer;

    /// <summary>Creates the tokenizer of a model.</summary>
    /// <exception cref="OgaException">The folder has none that the native library reads.</exception>
    public OgaTokenizer(OgaModel model)
    {
        _api = model.Api;
        nint pointer;
        _api.Check(_api.CreateTokenizer(model.Handle.Pointer, &pointer));
        _tokenizer = new OgaHandle(pointer, _api.DestroyTokenizer, model.Handle);
    }

    /// <summary>Returns the ids that end a text of the model.</summary>
    public int[] EndTokenIds()
    {
        int* ids;
        nuint count;
        _api.Check(_api.TokenizerGetEosTokenIds(_tokenizer.Pointer, &ids, &count));
        return new ReadOnlySpan<int>(ids, checked((int)count)).ToArray();
    }

    /// <summary>Encodes a text; special tokens are found in it, and none is put before it.</summary>
    /// <exception cref="ArgumentException">The text holds U+0000.</exception>
    /// <exception cref="OgaException">The native library cannot encode it.</exception>
    public int[] Encode(string text)
    {
        if (text.Length == 0)
        {
            return [];
        }

        nint pointer;
        _api.Check(_api.CreateSequences(&pointer));
        using OgaHandle sequences = new(pointer, _api.DestroySequences);
        fixed (byte* bytes = Utf8Text.Terminated(text))
        {
            _api.Check(_api.TokenizerEncode(_tokenizer.Pointer, bytes, sequences.Pointer));
        }

        // An index that does not exist would end the process.
        return _api.SequencesCount(sequences.Pointer) == 0
            ? []
            : new ReadOnlySpan<int>(
                _api.SequencesGetSequenceData(sequences.Pointer, 0), checked((int)_api.SequencesGetSequenceCount(sequences.Pointer, 0))).ToArray();
    }

    /// <summary>Renders a conversation by the folder's own template, up to where the model answers.</summary>
    /// <param name="messages">A list of objects with <c>role</c> and <c>content</c>, as JSON.</param>
    /// <exception cref="OgaException">There is no template, or it refuses the conversation.</exception>
    public string ApplyChatTemplate(string messages)
    {
        byte* text;
        fixed (byte* json = Encoding.UTF8.GetBytes(messages + '\0'))
        {
            _api.Check(_api.TokenizerApplyChatTemplate(_tokenizer.Pointer, null, json, null, 1, &text));
        }

        string rendered = Utf8Text.Read(text);
        _api.DestroyString(text);
        return rendered;
    }

    /// <summary>Returns whether encoding puts a space before a text, as SentencePiece does.</summary>
    public bool PutsSpace()
    {
        using OgaTextDecoder decoder = CreateDecoder();
        string text = "";
        foreach (int id in Encode("a"))
        {
            text += decoder.Append(id).ToString();
        }

        return text == " a";
    }

    /// <summary>Makes a decoder of one response's tokens as they are drawn.</summary>
    /// <param name="stripsSpace">Whether a space that begins the response is no part of its text.</param>
    public OgaTextDecoder CreateDecoder(bool stripsSpace = false)
    {
        nint pointer;
        _api.Check(_api.CreateTokenizerStream(_tokenizer.Pointer, &pointer));
        return new OgaTextDecoder(_api, new OgaHandle(pointer, _api.DestroyTokenizerStream, _tokenizer), stripsSpace);
    }

    public void Dispose() => _tokenizer.Dispose();
}
