using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Aries.Managed;

/// <summary>Reads a llama2.c checkpoint of version 0: <see href="https://github.com/karpathy/llama2.c"/>, <c>export.py legacy_export</c>.</summary>
/// <remarks>Seven 32-bit integers, then float32 tensors, each kind for all layers in a row. Queries and keys rotate neighbouring pairs there, and halves here.</remarks>
internal static class Llama2cCheckpoint
{
    private const int HeaderBytes = 7 * sizeof(int);
    private const int NewerVersionMagic = 0x616b3432;
    private const string FixDamaged = "The file is damaged or not a llama2.c checkpoint of version 0: download or export it again.";

    /// <summary>Reads a checkpoint.</summary>
    /// <exception cref="ModelFormatException">There is no such file, or its header and its length disagree.</exception>
    public static (LlamaConfig Config, LlamaWeights Weights) Load(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, "there is no such file.", "Check the path.");
        }

        using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        LlamaConfig config = ReadConfig(handle, path);
        LlamaWeights weights = LlamaWeights.Allocate(config);
        long offset = HeaderBytes;
        void Read(Parameter parameter)
        {
            ReadSingles(handle, offset, parameter.Values, path);
            offset += (long)parameter.Values.Length * sizeof(float);
        }

        Read(weights.Embedding);
        Func<LlamaLayerWeights, Parameter>[] kinds =
        [
            layer => layer.AttentionNorm, layer => layer.Query, layer => layer.Key, layer => layer.Value, layer => layer.Output,
            layer => layer.FeedForwardNorm, layer => layer.Gate, layer => layer.Down, layer => layer.Up,
        ];
        foreach (Func<LlamaLayerWeights, Parameter> kind in kinds)
        {
            foreach (LlamaLayerWeights layer in weights.Layers)
            {
                Read(kind(layer));
            }
        }

        Read(weights.FinalNorm);
        if (!config.TieEmbeddings)
        {
            // Between the last norm and the head lie two tables of the rotary angles' sines and cosines.
            offset += (long)config.ContextLength * config.HeadSize * sizeof(float);
            Read(weights.Head);
        }

        foreach (LlamaLayerWeights layer in weights.Layers)
        {
            PairsToHalves(layer.Query, config.HeadSize);
            PairsToHalves(layer.Key, config.HeadSize);
        }

        return (config, weights);
    }

    private static LlamaConfig ReadConfig(SafeFileHandle handle, string path)
    {
        long length = RandomAccess.GetLength(handle);
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (length < HeaderBytes || RandomAccess.Read(handle, header, 0) != HeaderBytes)
        {
            throw new ModelFormatException(path, $"the file has {length} bytes, too few for a header.", FixDamaged);
        }

        Span<int> values = stackalloc int[7];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = BinaryPrimitives.ReadInt32LittleEndian(header[(index * sizeof(int))..]);
        }

        if (values[0] == NewerVersionMagic)
        {
            throw new ModelFormatException(path, $"this is a llama2.c checkpoint of version {values[1]}.", "Export it as version 0, or as a Hugging Face folder.");
        }

        // A negative vocabulary size says that the head is not the embedding.
        (int hidden, int inner, int layers, int heads, int keyHeads, int context) = (values[0], values[1], values[2], values[3], values[4], values[6]);
        bool isTied = values[5] > 0;
        long vocabulary = Math.Abs((long)values[5]);
        string shown = string.Join(", ", values.ToArray());
        if (hidden <= 0 || inner <= 0 || layers <= 0 || heads <= 0 || keyHeads <= 0 || context <= 0 || vocabulary is < 3 or > int.MaxValue
            || hidden % heads != 0 || heads % keyHeads != 0 || hidden / heads % 2 != 0)
        {
            throw new ModelFormatException(path, $"the header's sizes [{shown}] make no model.", FixDamaged);
        }

        int headSize = hidden / heads;
        Int128 queryWeights = (Int128)hidden * hidden;
        Int128 keyWeights = (Int128)keyHeads * headSize * hidden;
        Int128 innerWeights = (Int128)inner * hidden;
        Int128 perLayer = (2 * (Int128)hidden) + (2 * queryWeights) + (2 * keyWeights) + (3 * innerWeights);
        Int128 total = (vocabulary * hidden * (isTied ? 1 : 2)) + (layers * perLayer) + hidden + ((Int128)context * headSize);
        Int128 largest = Int128.Max(Int128.Max(queryWeights, innerWeights), (Int128)vocabulary * hidden);
        if ((total * sizeof(float)) + HeaderBytes != length || largest > Array.MaxLength)
        {
            throw new ModelFormatException(
                path, $"the header's sizes [{shown}] need {(total * sizeof(float)) + HeaderBytes} bytes, but the file has {length}.", FixDamaged);
        }

        return new LlamaConfig
        {
            ModelType = "llama",
            HiddenSize = hidden,
            IntermediateSize = inner,
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = keyHeads,
            HeadSize = headSize,
            VocabularySize = (int)vocabulary,
            ContextLength = context,
            RmsNormEpsilon = 1e-5f,
            RopeTheta = 10000,
            TieEmbeddings = isTied,
            BeginTokenId = 1,

            // The format names no tokens. llama2.c's own sampler stops at token 1, which begins the next story; token 2 is the tokenizer's end.
            EndTokenIds = [1, 2],
        };
    }

    private static void PairsToHalves(Parameter projection, int headSize)
    {
        int columns = projection.Columns;
        float[] head = new float[headSize * columns];
        for (int start = 0; start < projection.Rows; start += headSize)
        {
            Span<float> rows = projection.Values.AsSpan(start * columns, head.Length);
            rows.CopyTo(head);
            for (int pair = 0; pair < headSize / 2; pair++)
            {
                head.AsSpan(2 * pair * columns, columns).CopyTo(rows[(pair * columns)..]);
                head.AsSpan(((2 * pair) + 1) * columns, columns).CopyTo(rows[((pair + (headSize / 2)) * columns)..]);
            }
        }
    }

    private static void ReadSingles(SafeFileHandle handle, long offset, Span<float> destination, string path)
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(handle, bytes, offset);
            if (read == 0)
            {
                throw new ModelFormatException(path, "the file ends inside its weights.", FixDamaged);
            }

            bytes = bytes[read..];
            offset += read;
        }

        if (!BitConverter.IsLittleEndian)
        {
            Span<int> words = MemoryMarshal.Cast<float, int>(destination);
            BinaryPrimitives.ReverseEndianness(words, words);
        }
    }
}
