namespace Aries.OnnxRuntime.Graphs;

/// <summary>Rounds the rows of a matrix to four bits, in blocks that share a scale, as ONNX Runtime's MatMulNBits reads them.</summary>
/// <remarks>
/// Symmetric, round to nearest: a block's scale is its value of largest magnitude ÷ −8, so that this value is met exactly, and w ≈ scale · (q − 8) with q from 0 to 15.
/// Two values share a byte, the first in its lower half.
/// </remarks>
internal static class FourBitBlocks
{
    private const int ZeroPoint = 8;

    /// <summary>Rounds a matrix.</summary>
    /// <param name="weights">Shape [rows, columns], row-major: a projection as Hugging Face stores it.</param>
    /// <param name="rows">The outputs.</param>
    /// <param name="columns">The inputs; the last block may reach beyond them.</param>
    /// <param name="blockSize">A power of two, 16 or more.</param>
    /// <returns>The packed values, shape [rows, blocks, blockSize / 2], and the scales, shape [rows, blocks].</returns>
    public static (byte[] Packed, float[] Scales) Quantize(ReadOnlySpan<float> weights, int rows, int columns, int blockSize)
    {
        int blocks = (columns + blockSize - 1) / blockSize;
        byte[] packed = new byte[checked(rows * blocks * (blockSize / 2))];
        float[] scales = new float[rows * blocks];
        Span<int> quantized = stackalloc int[blockSize];
        for (int block = 0; block < scales.Length; block++)
        {
            int start = block % blocks * blockSize;
            ReadOnlySpan<float> values = weights.Slice((block / blocks * columns) + start, Math.Min(blockSize, columns - start));
            scales[block] = Quantize(values, quantized);
            Span<byte> target = packed.AsSpan(block * (blockSize / 2), blockSize / 2);
            for (int pair = 0; pair < target.Length; pair++)
            {
                target[pair] = (byte)(quantized[2 * pair] | (quantized[(2 * pair) + 1] << 4));
            }
        }

        return (packed, scales);
    }

    private static float Quantize(ReadOnlySpan<float> values, Span<int> quantized)
    {
        float largest = 0;
        foreach (float value in values)
        {
            largest = Math.Abs(value) > Math.Abs(largest) ? value : largest;
        }

        float scale = largest / -ZeroPoint;
        quantized.Fill(ZeroPoint);
        for (int index = 0; index < values.Length && scale != 0; index++)
        {
            quantized[index] = Math.Clamp((int)MathF.Round(values[index] / scale) + ZeroPoint, 0, 15);
        }

        return scale;
    }
}
